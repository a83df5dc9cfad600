#pragma once
// Reductions, recorded for backward. Fixed chunks, so the result does not depend on the number of threads; sums are
// accumulated in float64. Results have the type of x, but sum and mean of all elements are float32.
#include "engine/autograd.h"

namespace ntq {

/// Sum of all elements, {1}.
Tensor sum(const Tensor& x);
/// Mean of all elements, {1}.
Tensor mean(const Tensor& x);
/// Smallest and largest of all elements, {1}; equal ones share the gradient.
Tensor min(const Tensor& x);
Tensor max(const Tensor& x);

/// Sum of |x|, {1}, float64. Not recorded.
Tensor sum_abs(const Tensor& x);
/// True when every element is finite. Waits for the device: not for every step of training.
bool all_finite(const Tensor& x);

/// Over one axis (negative: from the back), which the result keeps with size 1, so that it lies along x (binary.h).
/// Throws std::invalid_argument for an axis that is not there or has no elements.
struct Axis {
  int index = 0;
};
Tensor sum(const Tensor& x, Axis axis);
Tensor mean(const Tensor& x, Axis axis);
Tensor min(const Tensor& x, Axis axis);
Tensor max(const Tensor& x, Axis axis);

}  // namespace ntq
