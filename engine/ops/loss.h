#pragma once
// Losses.
#include "engine/autograd.h"

namespace ntq {

/// Mean over the batch of the cross entropy of softmax(logits {N,classes}) and labels {N} int32, {1}. Targets are
/// (1 - smoothing) on the label plus smoothing / classes everywhere; smoothing in [0, 1).
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float smoothing = 0.0f);

}  // namespace ntq
