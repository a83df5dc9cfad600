#pragma once
// The command line of ntq-sweep.
#include <optional>
#include <string>

#include "apps/sweep/sweep_file.h"

namespace ntq::apps {

struct SweepCommand {
  SweepFile file;               ///< with what the command line says over it
  std::string output = "runs";  ///< the sweep's folder lies in it
  int64_t jobs = 1, max_cells = 1000;
  bool retry_failed = false, dry_run = false, table = false, quiet = false, json = false;
  std::optional<std::string> csv, markdown, html;  ///< files to write

  std::string folder() const { return output + "/" + file.name; }
};

/// Throws UsageError. Nothing when --help or --version has been answered.
std::optional<SweepCommand> parse_sweep_command(int argc, char** argv);

}  // namespace ntq::apps
