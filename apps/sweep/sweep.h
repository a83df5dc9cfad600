#pragma once
// A sweep from its command to its tables.
#include "apps/console.h"
#include "apps/sweep/sweep_command.h"

namespace ntq::apps {

/// Trains what is open and shows the tables; with --dry-run the list of cells, with --table the tables alone. Gives the
/// object that --json prints. `program`: ntq-train. Throws the first failure's exit code when cells have failed, 128 +
/// signal when it was asked to stop, CheckpointError when another sweep is at work in the folder.
Json run_sweep(const SweepCommand& command, const std::string& program, Console& console);

}  // namespace ntq::apps
