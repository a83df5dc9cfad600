#pragma once
// Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1), and AdamW (arXiv 1711.05101) by `decoupled`.
#include <optional>

#include "optim/optimizer.h"

namespace ntq {

struct AdamOptions {
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
  float weight_decay = 0.0f;
  bool decoupled = false;        ///< decay w by lr * weight_decay itself, not by way of the gradient
  std::optional<float> lr = {};  ///< a rate of its own, whatever step() is given
};

/// With g' = g + weight_decay * w (or g when decoupled), at update t = 1, 2, ... of a parameter:
/// m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2) g'^2;
/// w -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon), and decoupled also lr * weight_decay * w.
class Adam : public Optimizer {
 public:
  /// Throws std::invalid_argument for settings out of range and as check_parameters().
  Adam(const std::vector<Parameter>& parameters, const AdamOptions& options);
  void step(float lr) override;
  void zero_grad() override;
  /// Of each parameter "<name>.mean", "<name>.square" and "<name>.updates" {1} int64.
  NamedTensors state_dict() const override;

 private:
  struct Slot {
    Parameter parameter;
    Tensor mean, square, updates;
  };
  AdamOptions options_;
  std::vector<Slot> slots_;
};

}  // namespace ntq
