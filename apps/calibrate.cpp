#include "apps/calibrate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/config_quant.h"
#include "apps/signals.h"
#include "apps/text.h"
#include "base/check.h"
#include "engine/autograd.h"
#include "layers/batch_norm.h"
#include "quant/tree.h"

namespace ntq::apps {
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
void run_batches(Module& model, const TrainConfig& config, const DatasetPair& data, int64_t batches,
                 const std::function<void(int64_t)>& before) {
  const NoGrad no_grad;
  const auto loader = make_train_loader(config, data);
  loader->start(0);
  for (int64_t used = 0; used < batches;) {
    const auto batch = loader->next();
    if (!batch) break;  // the epoch has fewer
    if (batch->labels.numel() == 0) continue;
    before(used++);
    model.forward(batch->images);
  }
}

/// As LSQ does, of the activations.
bool method_starts_from_mean(const TrainConfig& c) {
  const Settings settings = settings_of(c, Side::inputs);
  const auto init = settings.find("step_init");
  return init != settings.end() && init->second == SettingValue("lsq");
}

double top1(Session& s, Console& console, const char* what) {
  const Scores scores = evaluate(*s.model, *s.val_loader, [&](int64_t done, int64_t of) {
    console.progress(
        concat(what, " ", bar(static_cast<double>(done) / static_cast<double>(of), 20), " ", done, "/", of));
    return stop_signal() == 0;
  });
  if (stop_signal() != 0) throw LoadInterrupted();
  return scores.top1_percent();
}

}  // namespace

void calibrate_steps(Session& s, int64_t batches) {
  // As the first training step will see them: with running statistics, 2-bit weights leave most activations at zero.
  BatchStatistics norms(*s.model);
  norms.set_momentum(0.0f);
  calibrate(*s.model, [&] { run_batches(*s.model, s.config, s.data, batches, [](int64_t) {}); });
}

void recalibrate_norms(Module& model, const TrainConfig& config, const DatasetPair& data, int64_t batches) {
  if (!data.train) throw DataError(config.dataset + ": no training images to re-estimate batch norm from");
  BatchStatistics norms(model);
  // Momentum 1/k for batch k: the plain mean of the batches.
  run_batches(model, config, data, batches, [&](int64_t i) { norms.set_momentum(1.0f / static_cast<float>(i + 1)); });
}

std::optional<StartScores> prepare_quantized_start(Session& s, Console& console) {
  const TrainConfig& c = s.config;
  if (!c.quantized()) return std::nullopt;
  StartScores scores;
  if (!c.no_start_eval) {
    each<Quantizer>(*s.model, [](Quantizer& q) { q.enable(false); });
    scores.full_precision_top1 = top1(s, console, "before quantization");
    each<Quantizer>(*s.model, [](Quantizer& q) { q.enable(true); });
    console.line(concat("Before quantization: top-1 ", fixed(scores.full_precision_top1, 2), "%"));
  }
  calibrate_steps(s, c.calibrate);
  if (c.bn_recalibrate > 0) recalibrate_norms(*s.model, c, s.data, c.bn_recalibrate);
  if (c.no_start_eval) return std::nullopt;
  scores.quantized_top1 = top1(s, console, "right after quantization");
  console.line(concat("Right after quantization: top-1 ", fixed(scores.quantized_top1, 2), "% (steps from ",
                      c.calibrate, c.calibrate == 1 ? " batch" : " batches",
                      c.bn_recalibrate > 0 ? ", batch norm re-estimated)" : ")"));
  if (method_starts_from_mean(c) && scores.quantized_top1 < scores.full_precision_top1 / 2) {
    console.line(
        "  Less than half is left: --step-init mse often starts much closer, above all with 2-bit activations");
  }
  return scores;
}

nlohmann::ordered_json to_json(const StartScores& scores) {
  return {{"full_precision_top1", scores.full_precision_top1}, {"quantized_top1", scores.quantized_top1}};
}

}  // namespace ntq::apps
