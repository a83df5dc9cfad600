#pragma once
// Pooling (ops/pool.h) out of elementary ops, where windows tile the image: no padding, stride = kernel.
#include "engine/ops/pool.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"

namespace ntq::test {

/// fold(fold(.)) over the rows and the columns of each window; `fold(x, axis)` is max or mean.
template <class Fold>
Tensor tiled_pool_twin(const Tensor& x, int64_t kernel, Fold fold) {
  const int64_t h = x.size(1) / kernel, w = x.size(2) / kernel, c = x.size(3);
  const Tensor rows = fold(reshape(x, {x.size(0) * h, kernel, w * kernel * c}), Axis{1});
  const Tensor windows = fold(reshape(rows, {x.size(0) * h * w, kernel, c}), Axis{1});
  return reshape(windows, {x.size(0), h, w, c});
}

inline Tensor global_avg_pool_twin(const Tensor& x) {
  const int64_t n = x.size(0), c = x.size(3);
  return reshape(mean(reshape(x, {n, x.size(1) * x.size(2), c}), {1}), {n, c});
}

}  // namespace ntq::test
