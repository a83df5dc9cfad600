#pragma once
// Values of channels beside a tensor whose first axis they are of.
#include <vector>

#include "engine/tensor.h"

namespace ntq {

/// {C} as {C,1,...,1}, to lie along the first axis of x; one value as it is. No gradient.
inline Tensor beside_rows(const Tensor& values, const Tensor& x) {
  const Tensor plain = values.detach();
  if (plain.numel() == 1) return plain;
  std::vector<int64_t> sizes(static_cast<size_t>(x.shape().rank()), 1);
  sizes[0] = plain.numel();
  return plain.view(Shape(std::span<const int64_t>(sizes)));
}

}  // namespace ntq
