#pragma once
// Uniform quantization with a learned step: LSQ (arXiv 1902.08153) and NTQ (arXiv 2212.05603, Eq. 1, 7-9).
#include "engine/autograd.h"
#include "engine/backend/backend.h"

namespace ntq {

struct QuantizeArgs {
  QuantRange range;
  float grad_scale = 1.0f;  ///< g of the step's gradient, 1 / sqrt(N Q_P)
  QuantNoise noise = {};    ///< c = 0: none
};

/// step * round_even(clamp(x / step, low, high)) [+ c exp(-k e) sqrt(e) eps, e = |Q(x) - x|]; step {1} > 0, or {C}: one
/// for each slice of the first axis. Not a number where x is not finite: clamping must not hide a divergence.
/// Gradients: dx = dy where low < x/step < high, else 0; dstep = g * sum dy * d, d = round(v) - v inside, low or high
/// outside. The noise has none.
Tensor quantize(const Tensor& x, const Tensor& step, const QuantizeArgs& args);
/// The integers, one byte each: int8 where the range begins below 0, else uint8. Not differentiable.
Tensor quantize_codes(const Tensor& x, const Tensor& step, QuantRange range);

}  // namespace ntq
