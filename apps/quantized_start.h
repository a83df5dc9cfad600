#pragma once
// From pretrained weights to a quantized start: accuracy before, first steps, batch-norm statistics, accuracy after.
#include <optional>

#include <nlohmann/json_fwd.hpp>
#include "apps/session.h"

namespace ntq::apps {

/// Top-1 of the validation images with all quantizers off, and then on.
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
