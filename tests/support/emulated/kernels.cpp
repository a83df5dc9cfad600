// Kernels of the emulated device: the blocks of a grid one after the other, their threads in turns.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/emulated/guard.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cuda {
namespace {

constexpr size_t kGuard = 64;
bool synced_alone = false;

/// A test asks for the same bits in either order.
bool runs_backwards() {
  const char* const wish = std::getenv("NTQ_EMULATED_ORDER");
  return wish && std::string(wish) == "reversed";
}

struct Block {
  void (*function)(Thread&, const void*);
  const void* args;
  const Grid& grid;
  unsigned block;
  void* shared;
};

void run_thread(void* data, unsigned index) {
  const Block& b = *static_cast<const Block*>(data);
  Thread thread(index, b.block, b.grid, b.shared);
  b.function(thread, b.args);
}

}  // namespace

void Thread::sync() {
  if (!emulated::Fibers::wait()) synced_alone = true;
}

const char* Stream::State::run_block(const KernelEntry& kernel, const Grid& grid, unsigned block, bool backwards,
                                     const void* args, unsigned char* shared) {
  Block b{reinterpret_cast<void (*)(Thread&, const void*)>(const_cast<void*>(kernel.function)), args, grid, block,
          shared};
  if (kernel.syncs) {
    if (!fibers.run(grid.threads, backwards, run_thread, &b)) return "some threads ended while others waited in sync()";
  } else {
    for (unsigned i = 0; i < grid.threads; ++i) run_thread(&b, backwards ? grid.threads - 1 - i : i);
    if (std::exchange(synced_alone, false)) return "sync() was called, kSyncs is false";
  }
  if (!emulated::untouched(shared + grid.shared, kGuard)) return "something was written behind the shared memory";
  return nullptr;
}

bool Stream::State::harmed_behind_a_block() const {
  for (const auto& [begin, use] : uses) {
    auto* const bytes = reinterpret_cast<unsigned char*>(begin);
    if (!emulated::untouched(bytes + use.first, use.second - use.first)) return true;
  }
  return false;
}

/// For tests of what happens then: behind so many kernels each fails.
static uint64_t launches_of_its_life() {
  static const char* const text = std::getenv("NTQ_EMULATED_LOST_AFTER");
  static const uint64_t launches = text != nullptr ? std::strtoull(text, nullptr, 10) : ~uint64_t{0};
  return launches;
}

void Stream::State::run_kernel(const KernelEntry& kernel, const Grid& grid, const void* args) {
  if (++counters.launches > launches_of_its_life())
    return leave_error(BackendError::Code::failed, kernel.words() + ": the device is lost to this process");
  const bool backwards = runs_backwards();
  const char* wrong = nullptr;
  if (grid.blocks == 0 || grid.threads == 0 || grid.threads > kMostThreads || grid.shared > kMostShared)
    wrong = "no grid of a device";
  const size_t room = (grid.shared + kGuard + 15) / 16 * 16;
  const std::unique_ptr<unsigned char, void (*)(void*)> shared(
      static_cast<unsigned char*>(std::aligned_alloc(16, room)), std::free);
  for (unsigned i = 0; i < grid.blocks && !wrong; ++i) {
    std::memset(shared.get(), emulated::kUnwritten, grid.shared);
    emulated::forbid(shared.get() + grid.shared, kGuard);
    wrong = run_block(kernel, grid, backwards ? grid.blocks - 1 - i : i, backwards, args, shared.get());
  }
  emulated::allow(shared.get(), room);
  if (!wrong && harmed_behind_a_block()) wrong = "something was written behind a block of memory";
  if (wrong) leave_error(BackendError::Code::failed, kernel.words() + ": " + wrong);
}

}  // namespace ntq::cuda
