#pragma once
// The shortcut without parameters of the CIFAR ResNets.
#include "engine/autograd.h"

namespace ntq {

/// {N,H,W,C} -> {N,ceil(H/s),ceil(W/s),C + 2 extra}: every s-th pixel, `extra` zero channels before and behind. The
/// option A shortcut of He et al. 2015, section 4.2. Throws std::invalid_argument for stride and extra out of range.
Tensor subsample_pad_channels(const Tensor& x, int64_t stride, int64_t extra);

}  // namespace ntq
