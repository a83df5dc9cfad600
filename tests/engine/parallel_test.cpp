#include "engine/backend/cpu/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/backend/cpu/idle_threads.h"
#include "engine/tensor.h"

using namespace ntq;

namespace {

struct Threads {
  explicit Threads(int threads) : before(cpu::threads()) { cpu::set_threads(threads); }
  ~Threads() { cpu::set_threads(before); }
  int before;
};

}  // namespace

TEST_CASE("parallel_for runs every task once, on any number of threads") {
  for (const int threads : {1, 2, 5, 2, 5}) {
    const Threads use(threads);
    for (const int64_t count : {0, 1, 2, 3, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
      cpu::parallel_for(count, [&](int64_t i) { ++runs[static_cast<size_t>(i)]; });
      for (const auto& n : runs) REQUIRE(n == 1);
    }
  }
}

TEST_CASE("tasks that take less than waking a thread run on the caller, others on all threads") {
  const Threads use(2);
  const auto threads_of = [](int64_t count, int64_t work) {
    std::mutex mutex;
    std::set<std::thread::id> seen;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    const auto task = [&](int64_t) {
      std::unique_lock lock(mutex);
      seen.insert(std::this_thread::get_id());
      // Long enough for the other thread to come, if it does.
      while (work > 1000 && seen.size() < 2 && std::chrono::steady_clock::now() < until) {
        lock.unlock();
        std::this_thread::yield();
        lock.lock();
      }
    };
    cpu::parallel_for(count, work, task);
    if (work <= 1000) CHECK(seen == std::set{std::this_thread::get_id()});
    return seen.size();
  };
  CHECK(threads_of(100, 1000) == 1);
  CHECK(threads_of(100, 0) == 1);
  CHECK(threads_of(100, 1000000) == 2);
  CHECK(threads_of(2, int64_t{1} << 62) == 2);
}

TEST_CASE("what a task throws comes out, of several the one of the lowest index, and the threads go on") {
  for (const int threads : {1, 2, 5}) {
    const Threads use(threads);
    for (int round = 0; round < 20; ++round) {
      std::vector<std::atomic<int>> runs(200);
      const auto task = [&](int64_t i) {
        ++runs[static_cast<size_t>(i)];
        if (i == 50) throw std::bad_alloc();
        if (i > 50) throw std::runtime_error("task " + std::to_string(i));
      };
      CHECK_THROWS_AS(cpu::parallel_for(200, task), std::bad_alloc);
      for (size_t i = 0; i <= 50; ++i) REQUIRE(runs[i] == 1);
    }
    std::atomic<int> done = 0;
    cpu::parallel_for(100, [&](int64_t) { ++done; });
    CHECK(done == 100);
  }
}

TEST_CASE("memory that runs out within a task is an error like any other") {
  for (const int threads : {1, 3}) {
    const Threads use(threads);
    CHECK_THROWS_WITH_AS(cpu::parallel_ranges(1000, 1, [](int64_t, int64_t) { Tensor::empty({int64_t{1} << 45}); }),
                         doctest::Contains("out of memory"), DeviceError);
  }
}

TEST_CASE("threads that the system would refuse are known before they are started") {
  CHECK(cpu::can_start_threads(0));
  CHECK(cpu::can_start_threads(3));
}
