#include "train/step.h"

#include <cmath>
#include <utility>

#include "base/check.h"
#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/loss.h"
#include "quant/tree.h"
#include "train/activations.h"
#include "train/divergence.h"

namespace ntq {

LossFn cross_entropy(float smoothing) {
  return [smoothing](const Tensor& logits, const Batch& batch) {
    return softmax_cross_entropy(logits, batch.labels, smoothing);
  };
}

Device device_of(const Module& model) {
  const NamedTensors parameters = model.named_parameters();
  return parameters.empty() ? Device() : parameters.front().second.device();
}

Batch on_device_of(const Module& model, const Batch& batch) {
  const Device device = device_of(model);
  return {batch.images.to(device), batch.labels.to(device)};
}

StepResult train_step(Module& model, Optimizer& optimizer, const Batch& given, const LossFn& loss, float lr,
                      DType activations) {
  const int64_t images = given.labels.numel();
  if (images == 0) return {};
  const Batch batch = on_device_of(model, given);
  const Quantizers quantizers(model);
  optimizer.zero_grad();
  Tensor logits = logits_of(model, batch.images, activations);
  Tensor value = loss(logits, batch);
  if (const Tensor penalty = quant_penalty(quantizers); penalty && value) value = add(value, penalty);
  check(value.defined() && value.numel() == 1, "train_step: the loss must give one number, found ",
        value.defined() ? value.shape().str() : "none");
  if (value.on_host() && !std::isfinite(value.item())) {
    logits = value = {};  // their graph makes room for another pass
    const std::string where =
        first_not_finite(model, batch.images, [&] { return loss(logits_of(model, batch.images, activations), batch); });
    throw DivergedError("the loss is not a number; first: " +
                        (where.empty() ? "nothing in a second pass over the batch" : where));
  }
  value.backward();
  optimizer.step(lr);
  count_optimizer_step(quantizers);
  return {value.detach(), count_correct(logits, batch.labels), images};
}

void StepResults::add(int64_t step, StepResult result) {
  waiting_.push_back({step, std::move(result)});
  if (static_cast<int64_t>(waiting_.size()) >= most_) read();
}

void StepResults::read() {
  const std::vector<Waiting> waiting = std::exchange(waiting_, {});
  for (const auto& [step, result] : waiting) {
    StepScore score{.step = step, .images = result.images};
    if (result.images > 0) {
      score.loss = static_cast<double>(result.loss.item());
      score.correct = result.correct.item<int64_t>();
    }
    sink_(score);
  }
}

}  // namespace ntq
