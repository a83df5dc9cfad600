#pragma once
// The training of ntq-train: the loop of train/loop.h with what a run folder, a console and signals add to it.
#include "apps/console.h"
#include "apps/run_folder.h"
#include "apps/session.h"
#include "train/profile.h"

namespace ntq::apps {

/// Trains from session.progress to the last epoch: writes metrics, last.bin and best.bin after each. Throws
/// DivergedError, or Error with exit code 130 / 143 when a signal has stopped it; last.bin is good in both cases. A
/// profile is told of steps and validations.
void train_run(Session& session, const RunFolder& run, Console& console, Profile* profile = nullptr);

}  // namespace ntq::apps
