#pragma once
// What ntq-train is told for a cell.
#include "apps/sweep/cell_state.h"

namespace ntq::apps {

struct RunnerOptions {
  std::string folder;   ///< of the sweep
  std::string program;  ///< ntq-train
  int64_t jobs = 1;
};

/// What ntq-train is told for a cell: a new run, or on with the one that `status` has. `init`: of its start.
std::vector<std::string> cell_words(const Cell& cell, const CellStatus& status, const RunnerOptions& options,
                                    const std::string& init);

}  // namespace ntq::apps
