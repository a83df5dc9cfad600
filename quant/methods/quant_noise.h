#pragma once
// The definition of Quant-Noise's training-time values, for readers and tests.
#include "engine/tensor.h"

namespace ntq {

/// `quantized` where `mask` is 1, else x; the gradient is that of x everywhere.
Tensor quant_noised(const Tensor& x, const Tensor& quantized, const Tensor& mask);

}  // namespace ntq
