#pragma once
// Batch normalization (Ioffe & Szegedy, 2015), with the residual addition and the ReLU that follow it fused in.
#include "engine/module.h"
#include "engine/ops/norm.h"

namespace ntq {

struct BatchNormOptions {
  int64_t channels = 1;
  float momentum = 0.1f;  ///< weight of the newest batch in the running statistics
  float eps = 1e-5f;
  float initial_weight = 1.0f;
};

/// Over the last axis. Parameters: weight (initial_weight), bias (zeros); buffers: running_mean, running_var (unbiased,
/// as PyTorch keeps it), all {C}.
class BatchNorm2d : public Module {
 public:
  explicit BatchNorm2d(const BatchNormOptions& options);
  Tensor forward(const Tensor& x) override { return run(x, {}, false); }
  /// relu(bn(x) [+ residual]) in one pass.
  Tensor forward_relu(const Tensor& x, const Tensor& residual = {}) { return run(x, residual, true); }
  /// The values of forward_relu(x), which it leaves to come: nothing is recorded, no running statistics move.
  Tensor preview_relu(const Tensor& x) const;
  /// quantize_kept(forward_relu(x), steps) in one pass that keeps x and the codes alone.
  Codes forward_relu_codes(const Tensor& x, const PlainSteps& steps);
  /// From now on; in [0, 1]. 1: the running statistics become those of the next batch.
  void set_momentum(float momentum);
  float momentum() const { return options_.momentum; }

 private:
  Tensor run(const Tensor& x, const Tensor& residual, bool relu);
  BatchNormArgs args_for(const Tensor& x) const;
  BatchNormOptions options_;
  Tensor weight_, bias_, running_mean_, running_var_;
};

}  // namespace ntq
