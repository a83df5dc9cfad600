#pragma once
// Functions of one tensor, element by element, recorded for backward; y has the shape and the type of x.
#include "engine/autograd.h"

namespace ntq {

/// -x
Tensor neg(const Tensor& x);
/// |x|; its gradient is 0 at 0.
Tensor abs(const Tensor& x);
Tensor square(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor exp(const Tensor& x);
/// Natural logarithm.
Tensor log(const Tensor& x);
Tensor tanh(const Tensor& x);
/// 1 / (1 + exp(-x))
Tensor sigmoid(const Tensor& x);

// Steps: their gradient is 0.
/// -1, 0 or 1.
Tensor sign(const Tensor& x);
Tensor floor(const Tensor& x);
/// To the nearest whole number, ties to even.
Tensor round(const Tensor& x);
/// round(x) with the gradient of x itself: the straight-through estimator (Bengio et al., arXiv 1308.3432).
Tensor round_straight_through(const Tensor& x);

/// min(max(x, low), high); the gradient passes where low <= x <= high. Throws std::invalid_argument unless low <= high.
Tensor clamp(const Tensor& x, float low, float high);
/// alpha * x
Tensor scale(const Tensor& x, float alpha);
/// max(x, 0); its gradient is 0 at 0.
Tensor relu(const Tensor& x);

}  // namespace ntq
