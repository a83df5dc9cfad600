#include "apps/quantized_start.h"

#include <nlohmann/json.hpp>

#include "apps/config_quant.h"
#include "apps/signals.h"
#include "apps/text.h"
#include "base/check.h"
#include "train/calibrate.h"
#include "train/evaluate.h"

namespace ntq::apps {
namespace {

/// Whether the activations' first steps come from mean|x|.
bool starts_from_mean(const TrainConfig& c) {
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

std::optional<StartScores> prepare_quantized_start(Session& s, Console& console) {
  const TrainConfig& c = s.config;
  if (!c.quantized()) return std::nullopt;
  StartScores scores;
  if (!c.no_start_eval) {
    enable_quantizers(*s.model, false);
    scores.full_precision_top1 = top1(s, console, "before quantization");
    enable_quantizers(*s.model, true);
    console.line(concat("Before quantization: top-1 ", fixed(scores.full_precision_top1, 2), "%"));
  }
  const bool calibrated = calibrate_steps(*s.model, *s.train_loader, c.calibrate, s.activations);
  if (!calibrated && c.calibrate != TrainConfig{}.calibrate) {
    console.warn(concat("--calibrate ", c.calibrate,
                        " changes nothing: no quantizer of inputs takes first values from batches"));
  }
  if (c.bn_recalibrate > 0) recalibrate_norms(*s.model, *s.train_loader, c.bn_recalibrate);
  if (c.no_start_eval) return std::nullopt;
  scores.quantized_top1 = top1(s, console, "right after quantization");
  std::string how = calibrated ? concat("steps from ", c.calibrate, c.calibrate == 1 ? " batch" : " batches") : "";
  if (c.bn_recalibrate > 0) how += concat(calibrated ? ", " : "", "batch norm re-estimated");
  console.line(concat("Right after quantization: top-1 ", fixed(scores.quantized_top1, 2), "%",
                      how.empty() ? "" : concat(" (", how, ")")));
  if (starts_from_mean(c) && scores.quantized_top1 < scores.full_precision_top1 / 2) {
    console.line(
        "  Less than half is left: --step-init mse often starts much closer, above all with 2-bit activations");
  }
  return scores;
}

nlohmann::ordered_json to_json(const StartScores& scores) {
  return {{"full_precision_top1", scores.full_precision_top1}, {"quantized_top1", scores.quantized_top1}};
}

}  // namespace ntq::apps
