#pragma once
// steps.csv and layers.csv of a run: what its weights do while it trains.
#include <deque>
#include <optional>
#include <vector>

#include "apps/csv_file.h"
#include "apps/run_folder.h"
#include "apps/session.h"
#include "train/step.h"

namespace ntq::apps {

/// Looks at the weights behind each step; a row of steps.csv each --stats-every steps of the run, a row of layers.csv
/// for each layer and epoch. The rows of finished steps are on the disk before the checkpoint that says so, and those
/// behind the checkpoint that a run goes on from are dropped. Does nothing where the session has no statistics.
class StepTables {
 public:
  /// Throws CheckpointError for a file of that name that is none of ours: it is not overwritten.
  StepTables(Session& session, const RunFolder& run);
  /// Behind a step, and when its score is there: as often, in the same order.
  void updated();
  void step(const StepScore& score);
  /// The figures of the session's layers at the end of an epoch.
  void epoch(int64_t epoch, const std::vector<WeightFigures>& layers);
  /// Before a checkpoint.
  void write() const;

 private:
  Session& s_;
  std::optional<CsvFile> steps_, layers_;
};

}  // namespace ntq::apps
