#pragma once
// How far the trainings of a sweep are, and how long they will take.
#include <optional>
#include <string>

#include "apps/sweep/scores.h"

namespace ntq::apps {

/// "epoch 2/10  step 50/391  left 3m05s": the last line of the log of the newest run in a cell's folder, shortened;
/// "at work" where that says something else, "starts" before there is one.
std::string progress_of(const std::string& cell_folder);

/// Seconds that the cells that are not done will take with so many jobs, by what those that are done took for an epoch;
/// nothing before one is done.
std::optional<double> seconds_left(const Plan& plan, const SweepState& state, const Journal& journal, int64_t jobs);

}  // namespace ntq::apps
