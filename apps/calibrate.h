#pragma once
// From pretrained weights to a quantized start: accuracy before, first steps, batch-norm statistics, accuracy after.
#include <optional>

#include <nlohmann/json_fwd.hpp>
#include "apps/evaluate.h"
#include "apps/session.h"

namespace ntq::apps {

/// Sets the steps of the quantizers that have none yet from `batches` training batches (of epoch 0, augmented), each
/// normalised by its own statistics, as in the first training step; the running statistics stay as they are. Throws
/// DivergedError, naming the layer, for activations that are not finite.
void calibrate_steps(Session& session, int64_t batches);

/// Batch-norm statistics anew: the mean over `batches` training batches (of epoch 0, augmented) of the statistics of
/// each, with the quantizers as in evaluation. Changes nothing that training depends on.
void recalibrate_norms(Module& model, const TrainConfig& config, const DatasetPair& data, int64_t batches);

/// Top-1 of the validation images with all quantizers off, and then on. Throws Error 130 / 143 when a signal came.
struct StartScores {
  double full_precision_top1 = 0, quantized_top1 = 0;
};

/// What happens between loading weights and the first training step, printed: calibrates, re-estimates the norms if the
/// options say so and, unless --no-start-eval, evaluates before and after. Nothing in full precision. Throws
/// LoadInterrupted when a signal has come.
std::optional<StartScores> prepare_quantized_start(Session& session, Console& console);

/// {"full_precision_top1", "quantized_top1"}
nlohmann::ordered_json to_json(const StartScores& scores);

}  // namespace ntq::apps
