#pragma once
// Stochastic gradient descent with momentum.
#include "optim/optimizer.h"

namespace ntq {

struct SgdOptions {
  float momentum = 0.9f;
  float weight_decay = 1e-4f;
  bool nesterov = false;
};

/// g += weight_decay * w; m = momentum * m + g (m starts at 0); w -= lr * (nesterov ? g + momentum * m : m).
class Sgd : public Optimizer {
 public:
  /// Throws std::invalid_argument for settings out of range and as check_parameters().
  Sgd(const std::vector<Parameter>& parameters, const SgdOptions& options);
  void step(float lr) override;
  void zero_grad() override;
  /// Momentum by parameter name.
  NamedTensors state_dict() const override;

 private:
  struct Slot {
    Parameter parameter;
    Tensor momentum;
  };
  SgdOptions options_;
  std::vector<Slot> slots_;
};

}  // namespace ntq
