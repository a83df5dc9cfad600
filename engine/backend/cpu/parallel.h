#pragma once
// Threads: the only place, with idle_threads.cpp, that knows OpenMP.
#include <cstdint>
#include <functional>

namespace ntq::cpu {

void set_threads(int threads);
int threads();

/// Lets the calling thread run on every CPU of the process. A new thread inherits the CPUs of the one that made it,
/// which OMP_PROC_BIND, OMP_PLACES or GOMP_CPU_AFFINITY may have bound to one; without them this changes nothing.
void use_cpus_of_process();

/// Runs task(i) for i in [0, count), each exactly once, on all threads in any order; what tasks compute must not depend
/// on it. When tasks throw, what comes out is what the one of the lowest index threw: all below it have run, those
/// above it may have been left out. Throws DeviceError when the system has no more threads.
void parallel_for(int64_t count, const std::function<void(int64_t)>& task);

/// The same for tasks that may be short: `work` is about how many floats a simple loop passes over in the time of one.
/// Where all together take no longer than other threads take to wake, the caller runs them alone.
void parallel_for(int64_t count, int64_t work, const std::function<void(int64_t)>& task);

/// Elements that a task takes of an elementwise op.
constexpr int64_t kGrain = int64_t{1} << 15;

/// Runs range(begin, end) over pieces of [0, n) of `grain` elements, each of the given work.
void parallel_ranges(int64_t n, int64_t grain, int64_t work, const std::function<void(int64_t, int64_t)>& range);
void parallel_ranges(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& range);

}  // namespace ntq::cpu
