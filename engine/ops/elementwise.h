#pragma once
// Elementwise ops and shape changes, recorded for backward. All float32.
#include "engine/autograd.h"

namespace ntq {

/// a + b, equal shapes.
Tensor add(const Tensor& a, const Tensor& b);
/// a * b, equal shapes.
Tensor mul(const Tensor& a, const Tensor& b);
/// alpha * x
Tensor scale(const Tensor& x, float alpha);
/// max(x, 0); its gradient is 0 at 0.
Tensor relu(const Tensor& x);
/// x {...,C} + bias {C}
Tensor add_bias(const Tensor& x, const Tensor& bias);
/// Same values under another shape of equal numel; shares memory.
Tensor reshape(const Tensor& x, const Shape& shape);
/// {N,H,W,C} -> {N,ceil(H/s),ceil(W/s),C + 2 extra}: every s-th pixel, `extra` zero channels before and behind. The
/// option A shortcut of the CIFAR ResNets (He et al. 2015, section 4.2).
Tensor subsample_pad_channels(const Tensor& x, int64_t stride, int64_t extra);

}  // namespace ntq
