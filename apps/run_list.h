#pragma once
// Runs side by side: what they came to, and in which settings they differ.
#include <map>
#include <optional>

#include "apps/run_folder.h"

namespace ntq::apps {

struct ListedRun {
  RunFolder run;
  std::string problem = {};                          ///< why its files cannot be read; nothing else counts then
  std::map<std::string, std::string> settings = {};  ///< the recipe and --init; settings of the method as "quant.KEY"
  bool finished = false;
  int64_t epoch = 0, epochs = 0;               ///< finished ones, and all
  std::optional<double> top1 = {}, best = {};  ///< of the last epoch, of the best one; percent
  double seconds = 0;                          ///< of the finished epochs
  std::optional<double> bytes = {};            ///< as deployed; runs of older releases do not say
};

/// `path` itself if it is a run folder, else all run folders in it and below, four levels at most, by name. Throws
/// CheckpointError when there is none.
std::vector<RunFolder> find_runs(const std::string& path);

ListedRun read_listed(const RunFolder& run);

/// Names of the settings that are not the same in all of them, in the order of --print-config.
std::vector<std::string> differing_settings(const std::vector<ListedRun>& runs);

}  // namespace ntq::apps
