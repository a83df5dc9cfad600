#pragma once
// The command line of ntq-analyze.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/model_loss.h"
#include "analyze/sharpness.h"
#include "apps/eval_options.h"

namespace ntq::apps {

/// Directions of a subspace; nothing: all parameters ("full").
using Space = std::optional<int64_t>;

/// Checked; what an analysis does not have is refused when it is given.
struct AnalyzeOptions {
  EvalOptions subject;
  std::string analysis;
  std::vector<double> radii = {1e-3, 5e-4};
  std::vector<Space> spaces = {100};
  std::vector<Where> where;  ///< given or not: as the analysis has it
  Box box = Box::absolute;
  int64_t draws = 1, directions = 5, iterations = 100, steps = 50, seed = 0;
  std::optional<int64_t> points;            ///< 51; of a plane 21
  std::optional<double> average, momentum;  ///< momentum: the checkpoint's
  double tolerance = 1e-3;
  bool plane = false, on_train = false;
};

/// False when --help or --version has been answered. Throws UsageError.
bool parse_analyze(int argc, char** argv, AnalyzeOptions& options);

}  // namespace ntq::apps
