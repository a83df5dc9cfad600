#pragma once
// From a command to its runs: a new one, a resumed one, a dry run; one stage or several.
#include <utility>

#include "apps/console.h"
#include "apps/options.h"
#include "apps/run_folder.h"

namespace ntq::apps {

/// Trains command.config; gives the summary that --json prints.
nlohmann::ordered_json start_run(const TrainCommand& command, Console& console);
/// Goes on with command.resume. Throws UsageError when the command line asks for another recipe.
nlohmann::ordered_json resume_run(const TrainCommand& command, Console& console);
/// Takes two steps of each stage and says how long all of them take and in how much memory; writes nothing.
nlohmann::ordered_json dry_run(const TrainCommand& command, Console& console);
/// The options that a resumed run goes on with, and its folder.
std::pair<RunFolder, TrainConfig> resolve_resume(const TrainCommand& command);

}  // namespace ntq::apps
