#pragma once
// metrics.csv and metrics.jsonl: one row per finished epoch, the same stable columns in both.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ntq::apps {

/// Accuracies are percentages.
struct EpochRow {
  int64_t epoch = 0;  ///< from 1
  double train_loss = 0, train_top1 = 0;
  double val_loss = 0, val_top1 = 0, val_top5 = 0;
  double lr = 0;          ///< of the epoch's last step
  double mean_step = 0;   ///< mean over the layers of the weight step size; 0 in full precision
  double mean_error = 0;  ///< mean |Q(w) - w| over all quantized weights; 0 in full precision
  double images_per_s = 0, data_wait_s = 0;
  double seconds = 0;  ///< of the epoch with its validation, in this process
  bool has_ema = false;
  double ema_val_loss = 0, ema_val_top1 = 0, ema_val_top5 = 0;

  /// Column names and values, rounded as they are written.
  std::vector<std::pair<std::string, std::string>> columns() const;
  std::string json() const;
};

class MetricsFiles {
 public:
  /// Keeps the rows of the first `finished_epochs` epochs that are in the folder's files and drops later ones.
  MetricsFiles(const std::string& folder, int64_t finished_epochs);
  /// Adds a row and rewrites both files atomically.
  void add(const EpochRow& row);

 private:
  void write() const;
  std::string folder_, csv_, jsonl_;
};

}  // namespace ntq::apps
