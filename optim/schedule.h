#pragma once
// Learning rate schedules: pure functions of the step.
#include <cstdint>
#include <string>
#include <vector>

namespace ntq {

enum class ScheduleKind { constant, step, cosine, paper, exponential };

struct Schedule {
  ScheduleKind kind = ScheduleKind::cosine;
  float lr = 0.1f, min_lr = 0.0f;
  int64_t steps_per_epoch = 1, epochs = 1, warmup_epochs = 0;
  /// step: epochs after which the rate is multiplied by `decay`; empty: after 1/2 and 3/4 of the epochs, rounded up to
  /// whole ones.
  std::vector<int64_t> milestones{};
  float decay = 0.1f;

  /// Rate of step t in [0, steps_per_epoch * epochs). Warm-up: linear from lr / warm-up steps to lr. Cosine:
  /// min_lr + (lr - min_lr) (1 + cos(pi t / T)) / 2 over the T steps behind the warm-up, t counted from there. Paper:
  /// that, times 0.1 for each 50 epochs passed (arXiv 2212.05603, A.3), but never below min_lr. Exponential:
  /// lr (min_lr / lr)^(t / T), as cosine counts t; min_lr must be above 0. Milestones and the 50
  /// epochs count the warm-up. Throws std::invalid_argument for a step or a setting out of range.
  float at(int64_t step) const;
};

/// By these names; throws std::invalid_argument.
ScheduleKind parse_schedule(const std::string& name);

}  // namespace ntq
