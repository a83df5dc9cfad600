#include "optim/optimizer.h"

#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "base/check.h"

namespace ntq {

void Optimizer::load_state_dict(const NamedTensors& state) { copy_by_name("load_state_dict", state_dict(), state); }

OptimizerSet::OptimizerSet(std::unique_ptr<Optimizer> main, std::map<std::string, std::unique_ptr<Optimizer>> others)
    : main_(std::move(main)), others_(std::move(others)) {
  check(main_ != nullptr, "OptimizerSet: there is no main optimizer");
  for (const auto& [name, optimizer] : others_) {
    check(!name.empty() && optimizer != nullptr, "OptimizerSet: the optimizer \"", name, "\" has no name or is null");
  }
}

void OptimizerSet::step(float lr) {
  main_->step(lr);
  for (const auto& [name, optimizer] : others_) optimizer->step(lr);
}

void OptimizerSet::zero_grad() {
  main_->zero_grad();
  for (const auto& [name, optimizer] : others_) optimizer->zero_grad();
}

NamedTensors OptimizerSet::state_dict() const {
  NamedTensors out = main_->state_dict();
  for (const auto& [name, optimizer] : others_) {
    for (const auto& [key, tensor] : optimizer->state_dict()) out.emplace_back(name + "." + key, tensor);
  }
  return out;
}

void check_same_device(const char* who, const std::string& name, const Tensor& value, const Tensor& state) {
  check(state.device() == value.device(), who, ": \"", name, "\" has moved to ", value.device().str(),
        ", its state is on ", state.device().str(), "; move the model first, then make what updates it");
}

bool not_negative(float value) { return std::isfinite(value) && value >= 0.0f; }

std::vector<Parameter> parameters_of(const std::vector<Parameter>& parameters, const std::string& optimizer) {
  std::vector<Parameter> out;
  for (const Parameter& p : parameters) {
    if (p.traits.optimizer == optimizer) out.push_back(p);
  }
  return out;
}

std::vector<Parameter> without_decay_on_vectors(std::vector<Parameter> parameters) {
  for (Parameter& p : parameters) p.traits.decay = p.traits.decay && p.value.shape().rank() > 1;
  return parameters;
}

void check_parameters(const char* who, const std::vector<Parameter>& parameters) {
  std::unordered_map<const void*, std::string> seen;
  std::unordered_set<std::string> names;
  for (const auto& [name, value, traits] : parameters) {
    check(value.defined() && value.dtype() == DType::f32, who, ": parameter \"", name, "\" must be float32");
    const auto [other, fresh] = seen.emplace(value.id(), name);
    check(fresh, who, ": \"", name, "\" and \"", other->second, "\" are one tensor, give it once");
    check(names.insert(name).second, who, ": two parameters are named \"", name, "\"");
    check(not_negative(traits.lr_scale) && !std::isnan(traits.floor) && traits.most_change > 1, who, ": parameter \"",
          name, "\": its factor on the learning rate must be finite and at least 0, found ", traits.lr_scale,
          ", its floor a number, found ", traits.floor, ", the change that an update may make above 1, found ",
          traits.most_change);
  }
}

}  // namespace ntq
