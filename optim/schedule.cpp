#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace ntq {
namespace {

constexpr int64_t kMost = int64_t{1} << 30;  // the product of steps and epochs stays far from overflow
constexpr int64_t kPaperPeriod = 50;         // epochs

double cosine(const Schedule& s, double passed) {
  return s.min_lr + (static_cast<double>(s.lr) - s.min_lr) * (1.0 + std::cos(std::numbers::pi * passed)) / 2.0;
}

int64_t milestones_passed(const Schedule& s, int64_t step) {
  const int64_t passed = step / s.steps_per_epoch;  // whole epochs
  if (s.milestones.empty()) return (2 * passed >= s.epochs) + (4 * passed >= 3 * s.epochs);
  return std::count_if(s.milestones.begin(), s.milestones.end(), [&](int64_t epoch) { return passed >= epoch; });
}

}  // namespace

float Schedule::at(int64_t step) const {
  check(1 <= steps_per_epoch && steps_per_epoch <= kMost && 1 <= epochs && epochs <= kMost,
        "Schedule: steps per epoch and epochs must be 1 to ", kMost, ", found ", steps_per_epoch, " and ", epochs);
  check(0 <= warmup_epochs && warmup_epochs <= epochs, "Schedule: warm-up epochs must be 0 to ", epochs, ", found ",
        warmup_epochs);
  check(std::isfinite(lr) && 0.0f <= min_lr && min_lr <= lr, "Schedule: expected 0 <= min_lr <= lr, found min_lr ",
        min_lr, " and lr ", lr);
  const int64_t total = steps_per_epoch * epochs, warmup = steps_per_epoch * warmup_epochs;
  check(std::isfinite(decay) && decay >= 0.0f, "Schedule: decay must be at least 0, found ", decay);
  check(0 <= step && step < total, "Schedule: step must be 0 to ", total - 1, ", found ", step);

  if (step < warmup) {
    return static_cast<float>(static_cast<double>(lr) * static_cast<double>(step + 1) / static_cast<double>(warmup));
  }
  check(kind != ScheduleKind::exponential || min_lr > 0, "Schedule: exponential needs min_lr above 0, found ", min_lr);
  const double passed = static_cast<double>(step - warmup) / static_cast<double>(total - warmup);
  double rate = lr;
  switch (kind) {
    case ScheduleKind::constant: break;
    case ScheduleKind::step:
      rate *= std::pow(static_cast<double>(decay), static_cast<double>(milestones_passed(*this, step)));
      break;
    case ScheduleKind::cosine: rate = cosine(*this, passed); break;
    case ScheduleKind::paper:
      rate = std::max<double>(
          min_lr, cosine(*this, passed) / std::pow(10.0, static_cast<double>(step / steps_per_epoch / kPaperPeriod)));
      break;
    case ScheduleKind::exponential: rate *= std::pow(static_cast<double>(min_lr) / rate, passed); break;
  }
  return static_cast<float>(rate);
}

ScheduleKind parse_schedule(const std::string& name) {
  if (name == "constant") return ScheduleKind::constant;
  if (name == "step") return ScheduleKind::step;
  if (name == "cosine") return ScheduleKind::cosine;
  if (name == "paper") return ScheduleKind::paper;
  if (name == "exponential") return ScheduleKind::exponential;
  check(false, "schedule: expected constant, step, cosine, paper or exponential, found \"", name, "\"");
  return ScheduleKind::constant;
}

}  // namespace ntq
