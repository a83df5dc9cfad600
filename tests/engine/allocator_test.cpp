#include "engine/backend/cpu/allocator.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "base/check.h"

namespace ntq::cpu {
namespace {

constexpr size_t kMB = size_t{1} << 20;
constexpr size_t kSegment = 32 * kMB;

/// Blocks of an allocator, released in any order, and what is left of them at the end.
struct Blocks {
  CachingAllocator allocator;
  std::mutex mutex;
  std::map<std::byte*, size_t> held;

  ~Blocks() {
    for (const auto& [block, bytes] : held) allocator.release(block, bytes);
  }
  std::byte* take(size_t bytes) {
    auto* const block = static_cast<std::byte*>(allocator.allocate(bytes));
    const std::lock_guard lock(mutex);
    return held[block] = bytes, block;
  }
  void drop(std::byte* block, size_t bytes) {
    {
      const std::lock_guard lock(mutex);
      held.erase(block);
    }
    allocator.release(block, bytes);
  }
  MemoryUse use() const { return allocator.use(); }
};

}  // namespace

TEST_CASE("blocks of all sizes are aligned, apart from each other, and counted") {
  Blocks b;
  std::vector<std::pair<std::byte*, size_t>> taken;
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{1000}, kMB / 4 - 1,
                             kMB / 4, kMB + 1, 3 * kMB}) {
    std::byte* const block = b.take(bytes);
    CAPTURE(bytes);
    CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
    std::memset(block, static_cast<int>(taken.size() + 1), bytes);
    taken.emplace_back(block, bytes);
  }
  size_t all = 0;
  for (size_t i = 0; i < taken.size(); ++i) {
    const auto& [block, bytes] = taken[i];
    for (const size_t at : {size_t{0}, bytes / 2, bytes - 1}) {
      if (bytes > 0) CHECK(block[at] == static_cast<std::byte>(i + 1));
    }
    all += bytes;
  }
  CHECK(b.use().in_use >= all);
  CHECK(b.use().in_use < all + all / 8 + 64 * 1024);
  CHECK(b.use().peak == b.use().in_use);
  for (const auto& [block, bytes] : taken) b.drop(block, bytes);
  CHECK(b.use().in_use == 0);
  CHECK(b.use().peak >= all);
}

TEST_CASE("what was freed is used again, small blocks by their size") {
  Blocks b;
  std::byte *const small = b.take(1000), *const large = b.take(kMB);
  b.drop(small, 1000), b.drop(large, kMB);
  const uint64_t asked = b.use().system_allocations;
  CHECK(b.take(1001) == small);  // the same step of sizes
  CHECK(b.take(2000) != small);
  CHECK(b.take(kMB - 100) == large);
  CHECK(b.use().system_allocations == asked + 1);  // for 2000
}

TEST_CASE("large blocks are cut from one segment and grow together again") {
  Blocks b;
  std::vector<std::byte*> row;
  for (int i = 0; i < 32; ++i) row.push_back(b.take(kMB));
  CHECK(b.use().system_allocations == 1);
  CHECK(b.use().reserved == kSegment);
  for (size_t i = 1; i < row.size(); ++i) CHECK(row[i] == row[0] + i * kMB);

  b.drop(row[4], kMB), b.drop(row[6], kMB), b.drop(row[5], kMB);  // joined on both sides
  CHECK(b.take(3 * kMB) == row[4]);
  b.drop(row[4], 3 * kMB);
  for (size_t i = 0; i < row.size(); ++i) {
    if (i < 4 || i > 6) b.drop(row[i], kMB);
  }
  CHECK(b.take(kSegment) == row[0]);
  CHECK(b.use().system_allocations == 1);
}

TEST_CASE("the smallest free piece that fits is taken") {
  Blocks b;
  std::vector<std::byte*> row;
  for (int i = 0; i < 8; ++i) row.push_back(b.take(4 * kMB));  // a whole segment
  b.drop(row[1], 4 * kMB), b.drop(row[2], 4 * kMB), b.drop(row[5], 4 * kMB);
  CHECK(b.take(4 * kMB) == row[5]);
  CHECK(b.take(kMB) == row[1]);
  CHECK(b.take(7 * kMB) == row[1] + kMB);
  CHECK(b.use().system_allocations == 1);
}

TEST_CASE("pieces of two segments stay two, and a block may be larger than a segment") {
  Blocks b;
  std::byte *const first = b.take(kSegment), *const second = b.take(kSegment);
  b.drop(first, kSegment), b.drop(second, kSegment);
  std::byte* const third = b.take(kSegment + kMB);
  CHECK(b.use().system_allocations == 3);
  CHECK(b.use().reserved == 3 * kSegment + 2 * kMB);  // in steps of 2 MB
  std::memset(third, 1, kSegment + kMB);
}

TEST_CASE("what nobody uses goes back to the system, whole segments at a time") {
  Blocks b;
  std::byte *const kept = b.take(kMB), *const gone = b.take(kSegment), *const small = b.take(100);
  std::byte* const beside = b.take(kMB);
  b.drop(gone, kSegment), b.drop(small, 100), b.drop(beside, kMB);
  b.allocator.give_back();
  CHECK(b.use().reserved == kSegment);  // that of `kept`
  CHECK(b.use().in_use == kMB);
  b.drop(kept, kMB);
  b.allocator.give_back();
  CHECK(b.use().reserved == 0);
  CHECK(b.take(kMB) != nullptr);
}

TEST_CASE("what was never given out is not taken back") {
  Blocks b;
  std::byte* const block = b.take(100);
  b.allocator.release(nullptr, 0);
  std::byte other{};
  b.drop(&other, 1);
  CHECK(b.use().in_use == 128);  // of which the block takes all
  b.drop(block, 100);
  CHECK(b.use().in_use == 0);
}

TEST_CASE("without memory an allocator says how much was asked for, gives back what it kept, and goes on") {
  Blocks b;
  std::byte* const block = b.take(3 * kMB);
  b.drop(b.take(kSegment), kSegment);
  CHECK_THROWS_WITH_AS(b.take(size_t{1} << 50),
                       doctest::Contains("out of memory: 1073741825 MB asked for with 3 MB in use"), DeviceError);
  CHECK(b.use().reserved == kSegment);
  CHECK(b.use().in_use == 3 * kMB);
  CHECK_THROWS_WITH_AS(b.take(~size_t{0}), doctest::Contains("more than any machine has"), std::invalid_argument);
  b.drop(block, 3 * kMB);
  CHECK(b.take(kMB) == block);
}

TEST_CASE("threads may allocate and release at once, one another's blocks too") {
  Blocks b;
  constexpr int kThreads = 4, kRounds = 2000;
  constexpr size_t kSlots = 16;
  std::vector<std::vector<std::pair<std::byte*, size_t>>> left(kThreads);
  std::atomic<int> shared = 0;  // blocks that somebody else has written to
  const auto work = [&](int thread) {
    std::mt19937 draw(static_cast<unsigned>(thread));
    std::vector<std::pair<std::byte*, size_t>>& mine = left[static_cast<size_t>(thread)];
    mine.resize(kSlots);
    for (int i = 0; i < kRounds; ++i) {
      auto& [block, bytes] = mine[draw() % kSlots];
      const auto mark = static_cast<std::byte>(thread + 1);
      if (block) {
        shared += block[0] != mark || block[bytes - 1] != mark;
        b.drop(block, bytes);
      }
      bytes = 1 + draw() % (i % 4 == 0 ? 2 * kMB : size_t{4096});
      block = b.take(bytes);
      block[0] = block[bytes - 1] = mark;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
  }
  for (const auto& blocks : left) {
    for (const auto& [block, bytes] : blocks) {
      if (block) b.drop(block, bytes);
    }
  }
  CHECK(shared == 0);
  CHECK(b.use().in_use == 0);
  b.allocator.give_back();
  CHECK(b.use().reserved == 0);
}

}  // namespace ntq::cpu
