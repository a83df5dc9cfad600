#include "engine/backend/cpu/parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <vector>

#include "base/ceil_div.h"
#include "base/check.h"
#include "engine/backend/cpu/idle_threads.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kAlone = int64_t{1} << 18;  // floats of a simple loop: some 25 us, as long as threads take to wake

std::atomic<int>& count() {
  static std::atomic<int> value{std::max(1, omp_get_max_threads())};
  return value;
}

/// What the task of the lowest index threw. Tasks below it still run, so that it is the same for any number of threads.
class FirstError {
 public:
  bool before(int64_t task) const { return lowest_.load(std::memory_order_relaxed) < task; }
  void keep(int64_t task, std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (before(task)) return;
    lowest_ = task;
    error_ = std::move(error);
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::atomic<int64_t> lowest_{std::numeric_limits<int64_t>::max()};
  std::exception_ptr error_;
};

/// OpenMP's runtimes end the program when they get no thread, so what they are about to start is tried first.
void check_startable(int team) {
  thread_local int pool = 1;  // threads that the runtime keeps for this one, itself included
  if (team == pool) return;
  let_waiting_threads_sleep(team);
  if (team > pool && !can_start_threads(team - pool)) {
    throw DeviceError(concat("the system refuses to start ", team - pool,
                             " more threads: too little memory, or too many processes; use fewer threads"));
  }
  pool = team;
}

}  // namespace

void set_threads(int threads) { count() = std::max(1, threads); }
int threads() { return count(); }

void use_cpus_of_process() {
  if (omp_get_proc_bind() == omp_proc_bind_false) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (int place = 0; place < omp_get_num_places(); ++place) {
    std::vector<int> ids(static_cast<size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, ids.data());
    for (const int id : ids) {
      if (id >= 0 && id < CPU_SETSIZE) CPU_SET(id, &cpus);
    }
  }
  // Where it fails, the thread stays where it is: slower, not wrong.
  if (CPU_COUNT(&cpus) > 0) sched_setaffinity(0, sizeof cpus, &cpus);
}

void parallel_for(int64_t tasks, const std::function<void(int64_t)>& task) {
  // Always the whole team: libgomp ends the threads that a smaller one leaves out, and would start them anew.
  const int team = threads();
  if (team == 1 || tasks <= 1) {
    for (int64_t i = 0; i < tasks; ++i) task(i);
    return;
  }
  check_startable(team);
  FirstError error;
#pragma omp parallel for schedule(dynamic) num_threads(team)
  for (int64_t i = 0; i < tasks; ++i) {
    if (error.before(i)) continue;
    try {
      task(i);
    } catch (...) {  // nothing may leave the region
      error.keep(i, std::current_exception());
    }
  }
  error.rethrow();
}

void parallel_for(int64_t tasks, int64_t work, const std::function<void(int64_t)>& task) {
  if (tasks > kAlone / std::max<int64_t>(work, 1)) return parallel_for(tasks, task);
  for (int64_t i = 0; i < tasks; ++i) task(i);
}

void parallel_ranges(int64_t n, int64_t grain, int64_t work, const std::function<void(int64_t, int64_t)>& range) {
  parallel_for(ceil_div(n, grain), grain * work, [&](int64_t i) { range(i * grain, std::min(n, (i + 1) * grain)); });
}

void parallel_ranges(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& range) {
  parallel_ranges(n, grain, kAlone + 1, range);
}

}  // namespace ntq::cpu
