#include "engine/backend/cpu/idle_threads.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

// LLVM's OpenMP runtime has it, GCC's has not.
extern "C" [[gnu::weak]] void kmp_set_blocktime(int milliseconds);

namespace ntq::cpu {
namespace {

bool user_has_chosen() {
  const char* const names[] = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"};
  return std::any_of(std::begin(names), std::end(names), [](const char* name) { return std::getenv(name) != nullptr; });
}

/// A pool of `extra` OpenMP threads that sleeps until the program ends.
void hold_threads(int extra, const std::shared_ptr<std::latch>& held) {
  if (!can_start_threads(extra)) return held->count_down();
  std::atomic<int> here = 0;
#pragma omp parallel num_threads(extra + 1)
  ++here;  // compilers leave out an empty region
  held->count_down();
  for (;;) pause();
}

}  // namespace

/// GCC's runtime spins a thousandth as long when it manages more threads than there are processors (its manual, at
/// GOMP_SPINCOUNT), so it is given some to manage that do nothing.
void let_waiting_threads_sleep(int team) {
  static const bool chosen = user_has_chosen();
  if (chosen) return;
  if (kmp_set_blocktime != nullptr) {
    kmp_set_blocktime(0);
    return;
  }
  static std::mutex mutex;
  static int held = 0;
  const std::lock_guard lock(mutex);
  const int missing = omp_get_num_procs() + 1 - team - held;
  if (missing <= 0) return;
  held += missing;
  sigset_t all, before;  // signals are for the program's own threads
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    const auto done = std::make_shared<std::latch>(1);
    std::thread(hold_threads, missing, done).detach();
    done->wait();
  } catch (const std::exception&) {  // the system has no more threads
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool can_start_threads(int extra) {
  std::latch all(1);
  std::vector<std::thread> threads;
  bool started = true;
  try {
    threads.reserve(static_cast<size_t>(extra));
    for (int i = 0; i < extra; ++i) threads.emplace_back([&] { all.wait(); });
  } catch (const std::exception&) {
    started = false;
  }
  all.count_down();
  for (std::thread& thread : threads) thread.join();
  return started;
}

}  // namespace ntq::cpu
