#pragma once
// Plans that have been chosen, so that a steady step asks cuDNN nothing.
#include <functional>
#include <map>
#include <memory>
#include <span>

#include "engine/backend/cuda/cudnn/plan.h"
#include "engine/backend/cuda/cudnn/plan_file.h"

namespace ntq::cudnn {

/// Milliseconds that a plan takes. None: it fails, it is not worth its time beside `best`, or what it gives for whole
/// numbers are no whole numbers, so that it does not sum products. Throws Error where the device is lost.
using TimePlan = std::function<std::optional<double>(const Plan&, double best)>;
/// What times plans of a problem of at most so many bytes of workspace; empty where there is no memory for it.
using Timer = std::function<TimePlan(const Problem&, int64_t workspace)>;

/// The place of the fastest, the first among equals; none where none can be used.
std::optional<size_t> fastest(std::span<const Plan> plans, const TimePlan& time);

class Plans {
 public:
  /// Plans are chosen by time where the rules name a file and there is a timer. Throws SettingError for a
  /// file that cannot be used, and for a log (NTQ_CUDNN_LOG) that cannot be written.
  Plans(Gpu gpu, Rules rules, Timer timer = {});
  /// The plan for a problem, chosen when it is asked for the first time; valid until the next call. Throws Error.
  const Plan& plan_for(const Problem& problem);
  size_t size() const { return plans_.size(); }
  /// For a description of the device: what makes its bits others than by default. "", or ", plans of FILE".
  std::string note() const { return file_ ? ", plans of " + rules_.plans : std::string(); }

 private:
  Plan kept(const Problem& problem);
  std::optional<PlanFile::Engine> timed(const Problem& problem);

  Gpu gpu_;
  Rules rules_;
  Timer timer_;
  std::unique_ptr<PlanFile> file_;
  std::map<Problem::Key, Plan> plans_;
};

}  // namespace ntq::cudnn
