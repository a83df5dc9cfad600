#pragma once
// The command line of ntq-train.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "apps/config.h"

namespace ntq::apps {

struct TrainCommand {
  TrainConfig config;  ///< validated and resolved
  /// --resume: the run folder, or "" for the newest unfinished run below config.output.
  std::optional<std::string> resume;
  TrainConfig given;                  ///< defaults overwritten by the command line alone: what a resumed run may change
  nlohmann::ordered_json given_json;  ///< only the keys that the command line named
  nlohmann::ordered_json file_json;   ///< what --config holds
  bool allow_data_change = false;     ///< with --resume
  bool print_config = false, dry_run = false, profile = false, quiet = false, json = false;
};

/// Default, then --config FILE, then the command line. Throws UsageError. Nothing when --help or --version has been
/// answered.
std::optional<TrainCommand> parse_train_command(int argc, char** argv);

}  // namespace ntq::apps
