#pragma once
// Batch normalization over the last axis, with residual addition, ReLU and a quantizer fused in: one read, one write.
#include "engine/autograd.h"
#include "engine/ops/kept_codes.h"

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

/// quantize_kept(batch_norm(x, args), steps) in one pass that keeps x and the codes: y is in no memory at all.
Codes batch_norm_codes(const Tensor& x, const BatchNormArgs& args, const PlainSteps& steps);

}  // namespace ntq
