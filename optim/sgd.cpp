#include "optim/sgd.h"

#include "engine/ops/on_device.h"

namespace ntq {
Sgd::Sgd(const std::vector<Parameter>& parameters, const SgdOptions& options) : options_(options) {
  check(not_negative(options.momentum) && options.momentum < 1.0f, "Sgd: momentum must be in [0, 1), found ",
        options.momentum);
  check(not_negative(options.weight_decay), "Sgd: weight decay must be at least 0, found ", options.weight_decay);
  check(!options.nesterov || options.momentum > 0.0f, "Sgd: nesterov needs a momentum above 0");
  check_parameters("Sgd", parameters);
  for (const Parameter& p : parameters) {
    slots_.push_back({p, Tensor::zeros(p.value.shape(), DType::f32, p.value.device())});
  }
}

void Sgd::step(float lr) {
  check(not_negative(lr), "Sgd::step: the learning rate must be finite and at least 0, found ", lr);
  Backend* backend = nullptr;
  std::vector<SgdTensor> together;  // on one device
  const auto update_all = [&] {
    if (backend != nullptr) backend->sgd_steps(together);
    together.clear();
  };
  for (Slot& slot : slots_) {
    auto& [name, value, traits] = slot.parameter;
    const Tensor grad = value.grad();
    if (!grad) continue;
    check_same_device("Sgd::step", name, value, slot.momentum);
    const SgdUpdate update{.lr = lr * traits.lr_scale,
                           .momentum = options_.momentum,
                           .weight_decay = traits.decay ? options_.weight_decay : 0.0f,
                           .nesterov = options_.nesterov,
                           .floor = traits.floor,
                           .most_change = traits.most_change};
    Backend& of_value = backend_for("Sgd", Primitive::sgd_step, {value, grad});
    if (&of_value != backend) update_all();
    backend = &of_value;
    together.push_back({update, value.view(), grad.view(), slot.momentum.view()});
  }
  update_all();
}

void Sgd::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.value.zero_grad();
}

NamedTensors Sgd::state_dict() const {
  NamedTensors out;
  for (const Slot& slot : slots_) out.emplace_back(slot.parameter.name, slot.momentum);
  return out;
}

}  // namespace ntq
