#include "analyze/restored.h"

#include "engine/autograd.h"
#include "quant/tree.h"

namespace ntq {

Restored::Restored(Module& model) : model_(model) {
  for (const auto& [name, tensor] : model.state_dict()) values_.emplace_back(name, tensor.clone());
  for (const Parameter& p : model.parameters()) {
    parameters_.push_back({p.value, p.value.grad(), p.value.requires_grad()});
    parameters_.back().value.zero_grad();
  }
  model.visit([&](const std::string&, Module& module) { training_.push_back(module.training()); });
  for (const Quantizer* q : Quantizers(model)) enabled_.push_back(q->enabled());
}

Restored::~Restored() {
  const NoGrad values_only;
  model_.load_state_dict(values_);
  for (auto& [value, gradient, requires_grad] : parameters_) {
    value.set_requires_grad(requires_grad);
    value.set_grad(gradient);
  }
  size_t at = 0;  // parents come first, and take their children along
  model_.visit([&](const std::string&, Module& module) { module.train(training_[at++]); });
  at = 0;
  for (Quantizer* q : Quantizers(model_)) q->enable(enabled_[at++]);
}

void check_ready(Module& model) {
  for (const Quantizer* q : Quantizers(model)) {
    check(q->ready(), q->spec().name, ": has no first values yet; calibrate the quantizers, or load a checkpoint");
  }
}

}  // namespace ntq
