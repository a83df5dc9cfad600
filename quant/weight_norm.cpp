#include "quant/weight_norm.h"

#include <algorithm>

#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"

namespace ntq {

Tensor WeightNorm::centered(const Tensor& w) const { return sub(w, detached_ ? mean(w.detach()) : mean(w)); }

Tensor WeightNorm::deviation(const Tensor& centered) const {
  const Tensor c = detached_ ? centered.detach() : centered;
  const auto others = static_cast<float>(std::max<int64_t>(c.numel() - 1, 1));
  return sqrt(max(div(sum(square(c)), others), 1e-16f));
}

}  // namespace ntq
