#pragma once
// 3x3 convolutions of stride 1 and padding 1 by Winograd's F(2x2,3x3), in dot products of bfloat16: 4/9 of the
// multiplications. Inputs are bfloat16, or codes of a byte as whole numbers, those of up to 6 bits (7 with a sign)
// without a rounding of theirs; filters are float32 and rounded once, transformed. Sums are float32, in an order that
// sizes alone decide. The error against float64 of the same inputs, relative root of the mean square: 2.2e-3 to 3e-3 on
// codes, 4e-3 to 4.4e-3 on bfloat16, 2e-3 to 2.9e-3 and 3.8e-3 to 4.3e-3 in the filter gradient; each value's below
// 7e-3 of the largest value.
#include "engine/backend/backend.h"
#include "engine/backend/cpu/bf16/kernels/kernels.h"

namespace ntq::bf16 {

/// Whether this is the way for a convolution in bfloat16, in all its passes: 3x3, stride 1, padding 1, whole blocks of
/// 16 channels, and 2x2 tiles that the images fill well.
bool suits_winograd(const ConvGeometry& g);

/// y = conv(x, w), float32 or bfloat16, w packed (filters.h); of a data gradient x is dy and y is dx.
void winograd_conv(Backend& backend, const Kernels& k, const ConvGeometry& g, ConvPass pass, ConstView x,
                   const BFloat16* packed, View y);
/// dw, float32, of dy in bfloat16.
void winograd_grad_weight(Backend& backend, const Kernels& k, const ConvGeometry& g, ConstView dy, ConstView x,
                          View dw);

}  // namespace ntq::bf16
