#pragma once
// The definition of the weights of NICE's current layer, for readers and tests.
#include "engine/tensor.h"

namespace ntq {

/// Where `mask` is 1: clip(w + step (u - 1/2), -most step, most step), u uniform in (0, 1]; elsewhere `quantized`. The
/// gradient is that of w everywhere.
Tensor nice_noised(const Tensor& w, const Tensor& quantized, const Tensor& step, float most, const Tensor& u,
                   const Tensor& mask);

}  // namespace ntq
