#pragma once
// Losses, and what is right.
#include "engine/autograd.h"

namespace ntq {

/// Mean over the batch of the cross entropy of softmax(logits {N,classes}) and labels {N} int32, {1}. Targets are
/// (1 - smoothing) on the label plus smoothing / classes everywhere; smoothing in [0, 1).
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float smoothing = 0.0f);

/// Rows of logits {N,classes} whose label is among the `top` highest, {1} int64, on their device; not recorded. Of
/// equal logits the first class wins, as argmax has it; one that is not a number counts against the label.
Tensor count_correct(const Tensor& logits, const Tensor& labels, int64_t top = 1);

}  // namespace ntq
