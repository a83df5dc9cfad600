#pragma once
// Pooling over {N,H,W,C}.
#include "engine/autograd.h"

namespace ntq {

struct PoolOptions {
  int64_t kernel = 2, stride = 2, padding = 0;
};

Tensor max_pool2d(const Tensor& x, const PoolOptions& options);
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options);
/// {N,H,W,C} -> {N,C}
Tensor global_avg_pool(const Tensor& x);

}  // namespace ntq
