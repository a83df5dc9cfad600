#pragma once
// What the training loop shows while it runs: a progress line on a terminal, log lines elsewhere, a line per epoch.
#include <chrono>

#include "apps/console.h"
#include "apps/metrics.h"
#include "apps/session.h"

namespace ntq::apps {

class ProgressReport {
 public:
  ProgressReport(const Session& session, Console& console) : s_(session), console_(console) {}

  void start_epoch();
  /// After each step, with its loss already in session.progress. Warns of images that were left out.
  void step(const StepScore& score);
  void end_training();
  void validation(int64_t done, int64_t of);
  /// images_per_s, data_wait_s and seconds of the epoch.
  void fill_times(EpochRow& row) const;
  void epoch(const EpochRow& row);

 private:
  using Clock = std::chrono::steady_clock;
  static double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
  /// Warns of those beyond the `warned` that have been told.
  void left_out(const char* what, const std::vector<std::string>& messages, size_t& warned);
  /// From the mean step of this process.
  double seconds_left() const;
  std::string where() const;

  const Session& s_;
  Console& console_;
  Clock::time_point epoch_start_;
  std::string arithmetic_;                       // of validation, as told
  size_t warned_ = 0, warned_validation_ = 0;    // bad images
  int64_t epoch_images_ = 0;                     // of this epoch, in this process
  int64_t steps_ = 0;                            // of this process
  double train_seconds_ = 0, wait_seconds_ = 0;  // of the epoch's steps
  double all_train_seconds_ = 0;                 // of the steps of finished epochs
  double validation_seconds_ = -1;               // of the last validation; -1: none yet
};

}  // namespace ntq::apps
