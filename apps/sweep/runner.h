#pragma once
// Trains the cells of a plan by processes of ntq-train, several at a time.
#include <chrono>
#include <map>
#include <memory>

#include "apps/console.h"
#include "apps/sweep/cell_words.h"
#include "apps/sweep/child.h"
#include "apps/sweep/scores.h"

namespace ntq::apps {

class Runner {
 public:
  Runner(const Plan& plan, RunnerOptions options, Journal& journal, Console& console);
  /// Until nothing is left that can be trained. A cell that fails is put into the journal, and the others go on. Throws
  /// Error when a signal asks to stop (exit code 128 + signal; all children have saved) and CheckpointError when the
  /// disk is full: every open cell can be gone on with.
  void run(SweepState& state);

 private:
  using Clock = std::chrono::steady_clock;
  struct Job {
    size_t cell;
    Clock::time_point since;
    std::unique_ptr<Child> child;
  };
  /// Whether one more training fits into the memory that is left, by what the running ones and those before have taken.
  bool has_room();
  std::optional<size_t> next(const SweepState& state);
  void launch(size_t cell, const SweepState& state);
  void finish(const Job& job, int code, SweepState& state);
  void stop_all();
  void show(const SweepState& state);
  bool running(size_t cell) const;

  const Plan& plan_;
  RunnerOptions options_;
  Journal& journal_;
  Console& console_;
  std::vector<Job> jobs_;
  std::vector<bool> held_, told_;  // by cell: interrupted by others; said to be waited for
  int64_t peak_ = 0;               // bytes of a training
  bool short_of_memory_ = false;   // and that has been said
};

}  // namespace ntq::apps
