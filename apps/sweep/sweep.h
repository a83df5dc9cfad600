#pragma once
// A sweep from its command to its tables.
#include "apps/console.h"
#include "apps/sweep/sweep_command.h"
#include "base/check.h"

namespace ntq::apps {

struct SweepAnswer {
  Json json;                          ///< what --json prints, whatever failed
  std::optional<Error> failure = {};  ///< with the first failed cell's exit code; thrown when the answer is printed
};

/// Trains what is open and shows the tables; with --dry-run the list of cells, with --table the tables alone.
/// `program`: ntq-train. Throws an Error of 128 + signal when it was asked to stop, CheckpointError when another sweep
/// is at work in the folder.
SweepAnswer run_sweep(const SweepCommand& command, const std::string& program, Console& console);

}  // namespace ntq::apps
