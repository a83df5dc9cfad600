#include "train/calibrate.h"

#include <functional>
#include <vector>

#include "engine/autograd.h"
#include "layers/batch_norm.h"
#include "quant/tree.h"
#include "train/activations.h"
#include "train/exact_products.h"
#include "train/step.h"

namespace ntq {
namespace {

template <class M, class Visitor>
void each(Module& model, Visitor&& visit) {
  model.visit([&](const std::string&, Module& module) {
    if (auto* found = dynamic_cast<M*>(&module)) visit(*found);
  });
}

/// While it lives, the model is as in evaluation but for its batch norms: they use each batch's statistics, as in
/// training, and add them to the running ones with set_momentum().
class BatchStatistics {
 public:
  explicit BatchStatistics(Module& model) : model_(model), was_training_(model.training()) {
    model.eval();
    each<BatchNorm2d>(model, [&](BatchNorm2d& norm) {
      momenta_.push_back(norm.momentum());
      norm.train();
    });
  }
  ~BatchStatistics() {
    size_t at = 0;
    each<BatchNorm2d>(model_, [&](BatchNorm2d& norm) { norm.set_momentum(momenta_[at++]); });
    model_.train(was_training_);
  }
  BatchStatistics(const BatchStatistics&) = delete;
  BatchStatistics& operator=(const BatchStatistics&) = delete;

  void set_momentum(float momentum) {
    each<BatchNorm2d>(model_, [&](BatchNorm2d& norm) { norm.set_momentum(momentum); });
  }

 private:
  Module& model_;
  bool was_training_;
  std::vector<float> momenta_;
};

/// Runs `batches` batches through the model as it is set, without gradients.
void run_batches(Module& model, DataLoader& loader, int64_t batches, DType activations,
                 const std::function<void(int64_t)>& before) {
  const NoGrad no_grad;
  loader.start(0);
  for (int64_t used = 0; used < batches;) {
    const auto batch = loader.next();
    if (!batch) break;  // the epoch has fewer
    if (batch->labels.numel() == 0) continue;
    before(used++);
    logits_of(model, on_device_of(model, *batch).images, activations);
  }
}

}  // namespace

bool calibrate_steps(Module& model, DataLoader& loader, int64_t batches, DType activations) {
  // As the first training step will see them: with running statistics, 2-bit weights leave most activations at zero.
  BatchStatistics norms(model);
  norms.set_momentum(0.0f);
  return calibrate(model, [&] { run_batches(model, loader, batches, activations, [](int64_t) {}); });
}

void recalibrate_norms(Module& model, DataLoader& loader, int64_t batches) {
  const ExactProducts exact(model);
  BatchStatistics norms(model);
  // Momentum 1/k for batch k: the plain mean of the batches.
  run_batches(model, loader, batches, DType::f32,
              [&](int64_t i) { norms.set_momentum(1.0f / static_cast<float>(i + 1)); });
}

void enable_quantizers(Module& model, bool on) {
  for (Quantizer* q : Quantizers(model)) q->enable(on);
}

}  // namespace ntq
