#pragma once
// Pooling over {N,H,W,C} as modules; the ops are in engine/ops/pool.h.
#include "engine/module.h"
#include "engine/ops/pool.h"

namespace ntq {

class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const PoolOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) override { return max_pool2d(x, options_); }

 private:
  PoolOptions options_;
};

class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(const PoolOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) override { return avg_pool2d(x, options_); }

 private:
  PoolOptions options_;
};

/// {N,H,W,C} -> {N,C}
class GlobalAvgPool : public Module {
 public:
  Tensor forward(const Tensor& x) override { return global_avg_pool(x); }
};

}  // namespace ntq
