#pragma once
// Plans that have been chosen, so that a steady step asks cuDNN nothing.
#include <map>

#include "engine/backend/cuda/cudnn/plan.h"

namespace ntq::cudnn {

class Plans {
 public:
  Plans(Gpu gpu, Rules rules) : gpu_(std::move(gpu)), rules_(std::move(rules)) {}
  /// The plan for a problem, chosen when it is asked for the first time; valid until the next call. Throws Error.
  const Plan& plan_for(const Problem& problem);
  size_t size() const { return plans_.size(); }

 private:
  Gpu gpu_;
  Rules rules_;
  std::map<Problem::Key, Plan> plans_;
};

}  // namespace ntq::cudnn
