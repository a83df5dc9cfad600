#include "data/parallel.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace ntq {
namespace {

constexpr int64_t kThreads = 8;  // more than cores: they wait for the file system

struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<char> done;
  int64_t next = 0;
  std::exception_ptr error;
};

void work_on(Shared& shared, int64_t count, const std::function<void(int64_t)>& work) {
  std::unique_lock lock(shared.mutex);
  while (shared.next < count && !shared.error) {
    const int64_t i = shared.next++;
    lock.unlock();
    std::exception_ptr error;
    try {
      work(i);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    shared.done[static_cast<size_t>(i)] = 1;
    if (error && !shared.error) shared.error = error;
    shared.changed.notify_one();
  }
}

}  // namespace

void in_parallel(int64_t count, const std::function<void(int64_t)>& work, const std::function<void(int64_t)>& done) {
  Shared shared;
  shared.done.resize(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(std::min(count, kThreads)));
  try {
    for (int64_t i = 0; i < std::min(count, kThreads); ++i) {
      threads.emplace_back([&] { work_on(shared, count, work); });
    }
  } catch (const std::system_error&) {  // fewer threads will do, or none
  }
  if (threads.empty()) work_on(shared, count, work);
  for (int64_t i = 0; i < count; ++i) {
    std::unique_lock lock(shared.mutex);
    shared.changed.wait(lock, [&] { return shared.done[static_cast<size_t>(i)] != 0 || shared.error; });
    if (shared.error) break;
    lock.unlock();
    try {
      done(i);
    } catch (...) {
      lock.lock();
      shared.error = std::current_exception();
      break;
    }
  }
  for (std::thread& thread : threads) thread.join();
  if (shared.error) std::rethrow_exception(shared.error);
}

}  // namespace ntq
