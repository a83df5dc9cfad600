#include "optim/adam.h"

#include <cmath>

#include "engine/ops/on_device.h"

namespace ntq {
Adam::Adam(const std::vector<Parameter>& parameters, const AdamOptions& options) : options_(options) {
  check(not_negative(options.beta1) && options.beta1 < 1.0f && not_negative(options.beta2) && options.beta2 < 1.0f,
        "Adam: beta1 and beta2 must be in [0, 1), found ", options.beta1, " and ", options.beta2);
  check(std::isfinite(options.epsilon) && options.epsilon > 0.0f, "Adam: epsilon must be above 0, found ",
        options.epsilon);
  check(not_negative(options.weight_decay), "Adam: weight decay must be at least 0, found ", options.weight_decay);
  check(!options.lr || not_negative(*options.lr), "Adam: the learning rate must be finite and at least 0");
  check_parameters("Adam", parameters);
  for (const Parameter& p : parameters) {
    const auto zeros = [&] { return Tensor::zeros(p.value.shape(), DType::f32, p.value.device()); };
    slots_.push_back({p, zeros(), zeros(), Tensor::zeros({1}, DType::i64)});
  }
}

void Adam::step(float given) {
  const float lr = options_.lr.value_or(given);
  check(not_negative(lr), "Adam::step: the learning rate must be finite and at least 0, found ", lr);
  for (Slot& slot : slots_) {
    auto& [name, value, traits] = slot.parameter;
    const Tensor grad = value.grad();
    if (!grad) continue;
    check_same_device("Adam::step", name, value, slot.mean);
    const auto t = static_cast<double>(++*slot.updates.data<int64_t>());
    const double mean_bias = 1.0 - std::pow(double{options_.beta1}, t);
    const double square_bias = 1.0 - std::pow(double{options_.beta2}, t);
    const AdamUpdate update{.lr = static_cast<float>(double{lr * traits.lr_scale} / mean_bias),
                            .decay_lr = lr * traits.lr_scale,
                            .beta1 = options_.beta1,
                            .beta2 = options_.beta2,
                            .epsilon = options_.epsilon,
                            .square_scale = static_cast<float>(1.0 / square_bias),
                            .weight_decay = traits.decay ? options_.weight_decay : 0.0f,
                            .decoupled = options_.decoupled,
                            .floor = traits.floor,
                            .most_change = traits.most_change};
    backend_for("Adam", Primitive::adam_step, {value, grad})
        .adam_step(update, value.view(), grad.view(), slot.mean.view(), slot.square.view());
  }
}

void Adam::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.value.zero_grad();
}

NamedTensors Adam::state_dict() const {
  NamedTensors out;
  for (const Slot& slot : slots_) {
    out.emplace_back(slot.parameter.name + ".mean", slot.mean);
    out.emplace_back(slot.parameter.name + ".square", slot.square);
    out.emplace_back(slot.parameter.name + ".updates", slot.updates);
  }
  return out;
}

}  // namespace ntq
