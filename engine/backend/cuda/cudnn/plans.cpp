#include "engine/backend/cuda/cudnn/plans.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace ntq::cudnn {
namespace {

/// Far more than a training has: sizes that keep changing must not fill the memory.
constexpr size_t kMost = 4096;

/// NTQ_CUDNN_LOG names a file that gets a line for each choice: to compare two machines, or to name an engine to deny.
void log(const std::string& line) {
  const char* const name = std::getenv("NTQ_CUDNN_LOG");
  if (name == nullptr) return;
  std::FILE* const file = std::fopen(name, "a");
  const bool written = file != nullptr && std::fputs(line.c_str(), file) >= 0;
  if (file == nullptr || std::fclose(file) != 0 || !written)
    throw SettingError(std::string(name) + " (NTQ_CUDNN_LOG): cannot be written: " + std::strerror(errno));
}

}  // namespace

std::optional<size_t> fastest(std::span<const Plan> plans, const TimePlan& time) {
  std::optional<size_t> place;
  double best = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < plans.size(); ++i) {
    const std::optional<double> milliseconds = time(plans[i], best);
    if (!milliseconds || !(*milliseconds < best)) continue;
    best = *milliseconds;
    place = i;
  }
  return place;
}

Plans::Plans(Gpu gpu, Rules rules, Timer timer)
    : gpu_(std::move(gpu)), rules_(std::move(rules)), timer_(std::move(timer)) {
  log("");  // says now whether it can
  if (timer_ && !rules_.plans.empty()) file_ = std::make_unique<PlanFile>(rules_.plans, gpu_.name, version());
}

const Plan& Plans::plan_for(const Problem& problem) {
  const Problem::Key key = problem.key();
  if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
  if (plans_.size() >= kMost) plans_.clear();
  Plan plan = file_ ? kept(problem) : choose_plan(problem, gpu_, rules_);
  log(problem.describe() + ": " + plan.describe() + "\n");
  return plans_.emplace(key, std::move(plan)).first->second;
}

Plan Plans::kept(const Problem& problem) {
  const auto entry = file_->find_or_add(problem, [&] { return timed(problem); });
  if (!entry) return choose_plan(problem, gpu_, rules_);
  try {
    return plan_with(problem, gpu_, rules_, entry->number, entry->knobs);
  } catch (const Error& error) {
    throw SettingError(file_->where(*entry) + ": this plan cannot be used (" + error.what() +
                       "); remove the line, and it is chosen anew");
  }
}

std::optional<PlanFile::Engine> Plans::timed(const Problem& problem) {
  const std::vector<Plan> all = candidates(problem, gpu_, rules_);
  if (all.empty()) return std::nullopt;
  int64_t workspace = 0;
  for (const Plan& plan : all) workspace = std::max(workspace, plan.workspace);
  const TimePlan time = timer_(problem, workspace);
  if (!time) return std::nullopt;
  const std::optional<size_t> place = fastest(all, time);
  if (!place)
    throw Error("cuDNN " + version() + ": none of " + std::to_string(all.size()) + " plans for " + problem.describe() +
                " runs and gives whole numbers for whole numbers; unset NTQ_CUDNN_PLANS, or use cpu");
  return PlanFile::Engine{all[*place].engine, all[*place].knobs};
}

}  // namespace ntq::cudnn
