#pragma once
// What a sweep has ntq-analyze say of its finished networks: NAME.json in each run folder, where reports look for it.
#include <optional>

#include "apps/console.h"
#include "apps/sweep/standing.h"
#include "base/check.h"

namespace ntq::apps {

/// Asks for SweepFile::analyses of the last checkpoint of each finished cell that the table shows, one after the other;
/// of a checkpoint that has one, of the same bytes, not again. `program`: ntq-analyze. Gives the first failure, behind
/// all others; throws an Error of 128 + signal when it was asked to stop.
std::optional<Error> analyse_cells(const SweepFile& file, const Standing& standing, const std::string& program,
                                   Console& console);

/// Means over draws, by their names in tables: "sharpness master 100 0.001".
std::map<std::string, double> sharpness_measures(const RunFolder& run);

}  // namespace ntq::apps
