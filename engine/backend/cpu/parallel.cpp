#include "engine/backend/cpu/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>

namespace ntq::cpu {
namespace {

std::atomic<int>& count() {
  static std::atomic<int> value{std::max(1, omp_get_max_threads())};
  return value;
}

}  // namespace

void set_threads(int threads) { count() = std::max(1, threads); }
int threads() { return count(); }

void parallel_for(int64_t tasks, const std::function<void(int64_t)>& task) {
  const int team = static_cast<int>(std::min<int64_t>(threads(), tasks));
  if (team <= 1) {
    for (int64_t i = 0; i < tasks; ++i) task(i);
    return;
  }
#pragma omp parallel for schedule(dynamic) num_threads(team)
  for (int64_t i = 0; i < tasks; ++i) task(i);
}

void parallel_ranges(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& range) {
  parallel_for((n + grain - 1) / grain, [&](int64_t i) { range(i * grain, std::min(n, (i + 1) * grain)); });
}

}  // namespace ntq::cpu
