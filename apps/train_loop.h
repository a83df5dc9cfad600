#pragma once
// The training loop.
#include "apps/console.h"
#include "apps/run_folder.h"
#include "apps/session.h"

namespace ntq::apps {

struct StepResult {
  double loss = 0;      ///< mean over the batch
  int64_t correct = 0;  ///< top-1
};

/// Forward, backward, update at rate `lr`. Throws DivergedError naming the first layer that is not finite.
StepResult train_step(Session& session, const Batch& batch, float lr);

/// Trains from session.progress to the last epoch: validates, writes metrics, last.bin and best.bin after each. Throws
/// DivergedError, or Error with exit code 130 / 143 when a signal has stopped it; last.bin is good in both cases.
void train(Session& session, const RunFolder& run, Console& console);

}  // namespace ntq::apps
