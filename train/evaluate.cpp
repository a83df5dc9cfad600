#include "train/evaluate.h"

#include "engine/autograd.h"
#include "engine/ops/loss.h"
#include "train/deployed.h"
#include "train/step.h"

namespace ntq {

Scores evaluate(Module& model, DataLoader& loader, const BatchHook& hook, const LogitsHook& logits_hook) {
  const NoGrad no_grad;
  const bool was_training = model.training();
  model.eval();
  Scores scores;
  loader.start(0);
  int64_t batches = 0;
  AsDeployed deployed;
  while (const auto loaded = loader.next()) {
    if (const int64_t images = loaded->labels.numel(); images > 0) {  // 0: none could be decoded
      const Batch batch = on_device_of(model, *loaded);
      if (scores.images == 0) {
        deployed = as_deployed(model, batch.images.shape());
        scores.arithmetic = deployed.arithmetic;
      }
      const Tensor logits = deployed.network ? deployed.network->forward(batch.images) : model.forward(batch.images);
      const double loss = static_cast<double>(softmax_cross_entropy(logits, batch.labels).item());
      if (logits_hook) logits_hook(logits, batch.labels);
      scores.loss_sum += loss * static_cast<double>(images);
      scores.top1 += count_correct(logits, batch.labels, 1).item<int64_t>();
      scores.top5 += count_correct(logits, batch.labels, 5).item<int64_t>();
      scores.images += images;
    }
    if (hook && !hook(++batches, loader.batches_per_epoch())) break;
  }
  model.train(was_training);
  return scores;
}

}  // namespace ntq
