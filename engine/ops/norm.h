#pragma once
// Batch normalization over the last axis, with residual addition and ReLU fused in: one read, one write.
#include "engine/autograd.h"

namespace ntq {

struct BatchNormArgs {
  Tensor gamma, beta;                ///< {C}, trained
  Tensor running_mean, running_var;  ///< {C}; updated when `training`, used otherwise
  float momentum = 0.1f, eps = 1e-5f;
  bool training = true;
  Tensor residual = {};  ///< same shape as x, or undefined
  bool relu = false;
};

/// y = (x - mean) / sqrt(var + eps) * gamma + beta [+ residual], then max(y, 0) if relu. In training the batch's mean
/// and biased variance, and running = (1 - momentum) running + momentum * batch with the unbiased variance.
Tensor batch_norm(const Tensor& x, const BatchNormArgs& args);

}  // namespace ntq
