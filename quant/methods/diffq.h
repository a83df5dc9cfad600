#pragma once
// The definition of DiffQ's training-time weights, for readers and tests.
#include "engine/tensor.h"

namespace ntq {

/// w + R noise / (2^b - 1), R = max(w) - min(w); `bits` {groups,1}, one for each group of neighbouring weights; noise
/// in the shape of w. All of it has its gradient but the noise.
Tensor diffq_noised(const Tensor& w, const Tensor& bits, const Tensor& noise);

}  // namespace ntq
