#pragma once
// Changes of shape, recorded for backward. All float32.
#include "engine/autograd.h"

namespace ntq {

/// Same values under another shape of equal numel; shares memory.
Tensor reshape(const Tensor& x, const Shape& shape);
/// {N,H,W,C} -> {N,ceil(H/s),ceil(W/s),C + 2 extra}: every s-th pixel, `extra` zero channels before and behind. The
/// option A shortcut of the CIFAR ResNets (He et al. 2015, section 4.2).
Tensor subsample_pad_channels(const Tensor& x, int64_t stride, int64_t extra);

}  // namespace ntq
