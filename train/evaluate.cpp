#include "train/evaluate.h"

#include <optional>
#include <vector>

#include "engine/autograd.h"
#include "engine/backend/cpu_settings.h"
#include "engine/ops/loss.h"
#include "train/deployed.h"
#include "train/exact_products.h"
#include "train/step.h"

namespace ntq {
namespace {

constexpr size_t kReadTogether = 16;  // batches, so that none waits for the device

/// Figures of a batch, still on the device.
struct Waiting {
  Tensor loss, top1, top5;
  int64_t images;
};

void read(std::vector<Waiting>& waiting, Scores& scores) {
  for (const Waiting& w : waiting) {
    scores.loss_sum += static_cast<double>(w.loss.item()) * static_cast<double>(w.images);
    scores.top1 += w.top1.item<int64_t>();
    scores.top5 += w.top5.item<int64_t>();
    scores.images += w.images;
  }
  waiting.clear();
}

}  // namespace

Scores evaluate(Module& model, DataLoader& loader, const BatchHook& hook, const LogitsHook& logits_hook) {
  const NoGrad no_grad;
  const ExactProducts exact(model);
  const bool was_training = model.training();
  model.eval();
  give_back_cpu_memory();  // a training's sizes are others
  Scores scores;
  std::vector<Waiting> waiting;
  loader.start(0);
  int64_t batches = 0;
  std::optional<AsDeployed> deployed;
  while (const auto loaded = loader.next()) {
    if (const int64_t images = loaded->labels.numel(); images > 0) {  // 0: none could be decoded
      const Batch batch = on_device_of(model, *loaded);
      if (!deployed) {
        deployed = as_deployed(model, batch.images.shape());
        scores.arithmetic = deployed->arithmetic;
      }
      const Tensor logits = deployed->network ? deployed->network->forward(batch.images) : model.forward(batch.images);
      if (logits_hook) logits_hook(logits, batch.labels);
      waiting.push_back({softmax_cross_entropy(logits, batch.labels), count_correct(logits, batch.labels, 1),
                         count_correct(logits, batch.labels, 5), images});
      if (waiting.size() == kReadTogether) read(waiting, scores);
    }
    if (hook && !hook(++batches, loader.batches_per_epoch())) break;
  }
  read(waiting, scores);
  model.train(was_training);
  deployed.reset();
  give_back_cpu_memory();
  return scores;
}

}  // namespace ntq
