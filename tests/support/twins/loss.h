#pragma once
// softmax_cross_entropy (ops/loss.h) out of elementary ops.
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"

namespace ntq::test {

/// `labels` {N} hold whole numbers as float32.
inline Tensor cross_entropy_twin(const Tensor& logits, const Tensor& labels, float smoothing) {
  const int64_t rows = logits.size(0), classes = logits.size(1);
  std::vector<float> counted(static_cast<size_t>(classes));
  for (size_t i = 0; i < counted.size(); ++i) counted[i] = static_cast<float>(i);
  const Tensor label_of_row = add(Tensor::zeros(logits.shape()), labels.view({rows, 1}));
  const Tensor hit = equal(label_of_row, Tensor::from({classes}, std::span<const float>(counted)));
  const Tensor target = add(scale(hit, 1 - smoothing), smoothing / static_cast<float>(classes));
  const Tensor shifted = sub(logits, max(logits.detach(), {1}));
  const Tensor log_p = sub(shifted, log(sum(exp(shifted), {1})));
  return scale(sum(mul(target, log_p)), -1.0f / static_cast<float>(rows));
}

}  // namespace ntq::test
