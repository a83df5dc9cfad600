#pragma once
// The emulated device's Stream: work that is queued and done no sooner than someone waits, in memory that the host
// cannot reach until then.
#include <functional>
#include <list>
#include <map>
#include <mutex>

#include "engine/backend/cuda/stream.h"
#include "tests/support/emulated/arena.h"
#include "tests/support/emulated/counters.h"
#include "tests/support/emulated/fibers.h"

namespace ntq::cuda {

struct Stream::State {
  explicit State(size_t bytes) : arena(bytes) {}

  /// Queues work on device memory, not after an error that nobody has taken.
  void later(std::function<void()> work);
  /// With the mutex held.
  void run_kernel(const KernelEntry& kernel, const Grid& grid, const void* args);
  void leave_error(BackendError::Code code, const std::string& text);

  std::mutex mutex;
  emulated::Arena arena;
  size_t reserved = 0;
  size_t pinned_limit = ~size_t{0};  ///< bytes, of all blocks
  std::map<void*, size_t> pinned;
  std::map<void*, size_t> segments;
  std::list<std::function<void()>> queue;
  std::map<uint64_t, std::list<std::function<void()>>::iterator> marks;  ///< in the queue
  uint64_t marked = 0;
  std::map<char*, std::pair<size_t, size_t>> uses;  ///< begin -> bytes, room
  emulated::Fibers fibers;
  BackendError error;
  emulated::Counters counters;

 private:
  /// Runs one block; what is wrong, or nothing.
  const char* run_block(const KernelEntry& kernel, const Grid& grid, unsigned block, bool backwards, const void* args,
                        unsigned char* shared);
  bool harmed_behind_a_block() const;
};

}  // namespace ntq::cuda
