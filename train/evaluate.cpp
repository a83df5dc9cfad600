#include "train/evaluate.h"

#include <algorithm>

#include "engine/autograd.h"
#include "engine/ops/loss.h"

namespace ntq {

int64_t count_top_k(const Tensor& logits, const Tensor& labels, int64_t k) {
  const int64_t rows = logits.size(0), classes = logits.size(1);
  const float* row = logits.f32();
  const int32_t* label = labels.data<int32_t>();
  int64_t hits = 0;
  for (int64_t i = 0; i < rows; ++i, row += classes, ++label) {
    const float own = row[*label];
    int64_t above = 0;
    for (int64_t j = 0; j < classes; ++j) {
      // Written so that a NaN on either side counts against the label.
      const bool below = row[j] < own || (row[j] == own && j >= *label);
      above += below ? 0 : 1;
    }
    hits += above < std::min(k, classes) ? 1 : 0;
  }
  return hits;
}

Scores evaluate(Module& model, DataLoader& loader, const BatchHook& hook, const LogitsHook& logits_hook) {
  const NoGrad no_grad;
  const bool was_training = model.training();
  model.eval();
  Scores scores;
  loader.start(0);
  int64_t batches = 0;
  while (const auto batch = loader.next()) {
    if (const int64_t images = batch->labels.numel(); images > 0) {  // 0: none could be decoded
      const Tensor logits = model.forward(batch->images);
      const double loss = static_cast<double>(softmax_cross_entropy(logits, batch->labels).item());
      if (logits_hook) logits_hook(logits, batch->labels);
      scores.loss_sum += loss * static_cast<double>(images);
      scores.top1 += count_top_k(logits, batch->labels, 1);
      scores.top5 += count_top_k(logits, batch->labels, 5);
      scores.images += images;
    }
    if (hook && !hook(++batches, loader.batches_per_epoch())) break;
  }
  model.train(was_training);
  return scores;
}

}  // namespace ntq
