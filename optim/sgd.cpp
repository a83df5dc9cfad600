#include "optim/sgd.h"

#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "engine/backend/backend.h"

namespace ntq {
namespace {

constexpr float kStepFloor = 1e-8f;  // a step of zero or less has no grid

bool is_step(const std::string& name) { return name == "step" || name.ends_with(".step"); }

bool not_negative(float value) { return std::isfinite(value) && value >= 0.0f; }

ParamGroup steps_group() {
  return {.name = "steps", .holds = is_step, .weight_decay_scale = 0.0f, .floor = kStepFloor};
}

ParamGroup rest_group() {
  return {.name = "weights", .holds = [](const std::string&) { return true; }};
}

}  // namespace

std::vector<ParamGroup> default_groups() { return {steps_group(), rest_group()}; }

std::vector<ParamGroup> no_decay_on_vectors(const Module& model) {
  std::unordered_set<std::string> vectors;
  for (const auto& [name, tensor] : model.named_parameters()) {
    if (tensor.shape().rank() <= 1) vectors.insert(name);
  }
  ParamGroup group{.name = "vectors",
                   .holds = [names = std::move(vectors)](const std::string& name) { return names.count(name) > 0; },
                   .weight_decay_scale = 0.0f};
  return {steps_group(), std::move(group), rest_group()};
}

Sgd::Sgd(const NamedTensors& parameters, const SgdOptions& options, std::vector<ParamGroup> groups)
    : options_(options), groups_(std::move(groups)) {
  check(not_negative(options.momentum) && options.momentum < 1.0f, "Sgd: momentum must be in [0, 1), found ",
        options.momentum);
  check(not_negative(options.weight_decay), "Sgd: weight decay must be at least 0, found ", options.weight_decay);
  check(!options.nesterov || options.momentum > 0.0f, "Sgd: nesterov needs a momentum above 0");
  for (const ParamGroup& group : groups_) {
    check(group.holds && not_negative(group.lr_scale) && not_negative(group.weight_decay_scale) &&
              !std::isnan(group.floor),
          "Sgd: group \"", group.name, "\" needs `holds` and scales of at least 0");
  }
  std::unordered_map<const void*, std::string> seen;
  std::unordered_set<std::string> names;
  for (const auto& [name, value] : parameters) {
    check(value.defined() && value.dtype() == DType::f32, "Sgd: parameter \"", name, "\" must be float32");
    const auto [other, fresh] = seen.emplace(value.id(), name);
    check(fresh, "Sgd: \"", name, "\" and \"", other->second, "\" are one tensor, give it once");
    check(names.insert(name).second, "Sgd: two parameters are named \"", name, "\"");
    size_t group = 0;
    while (group < groups_.size() && !groups_[group].holds(name)) ++group;
    check(group < groups_.size(), "Sgd: no group takes parameter \"", name, "\"; add one that takes the rest");
    slots_.push_back({name, value, Tensor::zeros(value.shape(), DType::f32, value.device()), group});
  }
}

void Sgd::step(float lr) {
  check(not_negative(lr), "Sgd::step: the learning rate must be finite and at least 0, found ", lr);
  for (Slot& slot : slots_) {
    const Tensor grad = slot.value.grad();
    if (!grad) continue;
    const ParamGroup& group = groups_[slot.group];
    const SgdUpdate update{.lr = lr * group.lr_scale,
                           .momentum = options_.momentum,
                           .weight_decay = options_.weight_decay * group.weight_decay_scale,
                           .nesterov = options_.nesterov,
                           .floor = group.floor};
    backend_for(slot.value.device())
        .sgd_step(update, slot.value.f32(), grad.f32(), slot.momentum.f32(), slot.value.numel());
  }
}

void Sgd::zero_grad() {
  for (Slot& slot : slots_) slot.value.zero_grad();
}

NamedTensors Sgd::state_dict() const {
  NamedTensors out;
  for (const Slot& slot : slots_) out.emplace_back(slot.name, slot.momentum);
  return out;
}

void Sgd::load_state_dict(const NamedTensors& state) { copy_by_name("Sgd::load_state_dict", state_dict(), state); }

const std::string& Sgd::group_of(const std::string& parameter) const {
  for (const Slot& slot : slots_) {
    if (slot.name == parameter) return groups_[slot.group].name;
  }
  check(false, "Sgd::group_of: there is no parameter \"", parameter, "\"");
  return parameter;
}

}  // namespace ntq
