#pragma once
// metrics.csv and metrics.jsonl: one row per finished epoch, the same stable columns in both.
#include <string>

#include "apps/csv_file.h"
#include "train/loop.h"
#include "train/weight_figures.h"

namespace ntq::apps {

struct EpochRow : EpochScores {
  WeightMeans weights = {};
  double images_per_s = 0, data_wait_s = 0;
  double seconds = 0;  ///< of the epoch with its validation, in this process

  /// Column names and values, rounded as they are written.
  Columns columns() const;
  std::string json() const;
};

class MetricsFiles {
 public:
  /// Keeps the rows of the first `finished_epochs` epochs that are in the folder's files and drops later ones.
  MetricsFiles(const std::string& folder, int64_t finished_epochs);
  /// Adds a row and rewrites both files atomically.
  void add(const EpochRow& row);

 private:
  void write_jsonl() const;
  std::string folder_;
  CsvFile csv_;
  std::string jsonl_;
};

}  // namespace ntq::apps
