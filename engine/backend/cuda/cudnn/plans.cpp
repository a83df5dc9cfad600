#include "engine/backend/cuda/cudnn/plans.h"

#include <cstdio>
#include <cstdlib>

namespace ntq::cudnn {
namespace {

/// Far more than a training has: sizes that keep changing must not fill the memory.
constexpr size_t kMost = 4096;

/// NTQ_CUDNN_LOG names a file that gets a line for each choice: to compare two machines, or to name an engine to deny.
void log(const Problem& problem, const Plan& plan) {
  const char* const name = std::getenv("NTQ_CUDNN_LOG");
  if (name == nullptr) return;
  if (std::FILE* const file = std::fopen(name, "a")) {
    std::fprintf(file, "%s: %s\n", problem.describe().c_str(), plan.describe().c_str());
    std::fclose(file);
  }
}

}  // namespace

const Plan& Plans::plan_for(const Problem& problem) {
  const Problem::Key key = problem.key();
  if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
  if (plans_.size() >= kMost) plans_.clear();
  Plan plan = choose_plan(problem, gpu_, rules_);
  log(problem, plan);
  return plans_.emplace(key, std::move(plan)).first->second;
}

}  // namespace ntq::cudnn
