#pragma once
// Weight normalisation before quantizing (APoT, arXiv 1909.13144; LCQ, arXiv 2103.07156): (w - mean) / deviation, over
// a whole layer. In two parts, so that a method can multiply by the deviation again.
#include "engine/tensor.h"

namespace ntq {

class WeightNorm {
 public:
  /// With `detached` no gradient flows through mean and deviation.
  explicit WeightNorm(bool detached) : detached_(detached) {}
  /// w - mean(w)
  Tensor centered(const Tensor& w) const;
  /// Of centered weights, {1}: sqrt(sum c^2 / (n - 1)), 1e-8 at least.
  Tensor deviation(const Tensor& centered) const;

 private:
  bool detached_;
};

}  // namespace ntq
