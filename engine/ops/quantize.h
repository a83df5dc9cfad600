#pragma once
// Uniform quantization with a learned step: LSQ (arXiv 1902.08153) and NTQ (arXiv 2212.05603, Eq. 1, 7-9).
#include "engine/autograd.h"
#include "engine/backend/args.h"

namespace ntq {

/// step * round_even(clamp(x / step, low, high)) [+ c exp(-k e) sqrt(e) eps, e = |Q(x) - x|]; step {1} > 0, or {C}: one
/// for each slice of the first axis. Not a number where x is not finite: clamping must not hide a divergence.
/// Gradients: dx = dy where low < x/step < high, else 0; dstep = g * sum dy * d, d = round(v) - v inside, low or high
/// outside. The noise has none. A range that ends just past an integer gives the same values, but puts the border
/// inside.
Tensor quantize(const Tensor& x, const Tensor& step, const QuantizeArgs& args);
/// The sum of (Q(x) - x)^2 for each of these steps, read back: for calibration, not for a step of training.
std::vector<double> quantize_errors(const Tensor& x, const std::vector<double>& steps, QuantRange range);
/// The integers, one byte each: int8 where the range begins below 0, else uint8. Not differentiable.
Tensor quantize_codes(const Tensor& x, const Tensor& step, QuantRange range);

}  // namespace ntq
