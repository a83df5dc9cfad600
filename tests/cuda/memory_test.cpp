// The caching allocator.
#include "tests/cuda/device.h"
#include "tests/support/text.h"

namespace ntq::cuda {
namespace {

void* take(Memory& memory, size_t bytes, MemoryKind kind = MemoryKind::device) { return memory.allocate(bytes, kind); }

TEST_CASE("a steady round of allocations asks the driver for nothing") {
  TestDevice device;
  const auto round = [&] {
    std::vector<void*> all;
    for (const size_t bytes : {size_t{100}, size_t{70000}, size_t{1} << 20, size_t{3} << 20, size_t{0}, size_t{256}})
      all.push_back(take(device.memory, bytes));
    for (void* memory : all) CHECK(reinterpret_cast<uintptr_t>(memory) % 256 == 0);
    for (void* memory : all) device.memory.release(memory, MemoryKind::device);
    return all;
  };
  const std::vector<void*> first = round();
  const uint64_t segments = device.memory.use().segments;
  for (int i = 0; i < 3; ++i) CHECK(round() == first);
  const MemoryUse use = device.memory.use();
  CHECK(use.segments == segments);
  CHECK(use.in_use == 0);
  CHECK(use.most_in_use >= 70100 + (4u << 20));
  CHECK(use.reserved >= use.most_in_use);
}

TEST_CASE("what is given back grows together again, and goes to the driver on demand") {
  TestDevice device;
  std::vector<void*> parts;
  for (int i = 0; i < 4; ++i) parts.push_back(take(device.memory, (size_t{1} << 20) - 1));
  REQUIRE(device.memory.use().segments == 1);  // of 4 MB
  for (const size_t i : {0, 2, 1, 3}) device.memory.release(parts[i], MemoryKind::device);
  void* const whole = take(device.memory, (size_t{4} << 20) - 1);
  CHECK(whole == parts[0]);
  CHECK(device.memory.use().segments == 1);
  device.memory.give_back();
  CHECK(device.memory.use().reserved == size_t{4} << 20);  // somebody has it
  device.memory.release(whole, MemoryKind::device);
  device.memory.give_back();
  CHECK(device.memory.use().reserved == 0);
  CHECK(device.stream->bytes().free == device.stream->bytes().total);
}

TEST_CASE("memory that is kept makes room for a larger piece before anything is refused") {
  TestDevice device;
  void* const first = take(device.memory, size_t{40} << 20);
  CHECK_FALSE(take(device.memory, size_t{50} << 20));
  const std::string text = device.error();
  for (const char* part : {"52428800 bytes asked for", "free of 67108864", "in use here"})
    CHECK(test::contains(text, part));
  device.memory.release(first, MemoryKind::device);
  CHECK(take(device.memory, size_t{50} << 20));
  CHECK(device.error().empty());
  CHECK_FALSE(take(device.memory, ~size_t{0}));
  CHECK(test::contains(device.error(), "bytes asked for"));
}

TEST_CASE("a small device is used to its end") {
  TestDevice device(1);
  std::vector<void*> all;
  while (void* const memory = take(device.memory, 200)) all.push_back(memory);
  CHECK(all.size() == 256);  // of 64 KB
  CHECK_FALSE(device.error().empty());
  for (void* memory : all) device.memory.release(memory, MemoryKind::device);
}

TEST_CASE("pinned memory is used again when the work before its return is done") {
  TestDevice device;
  Memory& memory = device.memory;
  auto* const pinned = static_cast<float*>(take(memory, 400, MemoryKind::pinned));
  CHECK(memory.is_pinned(pinned, 400));
  CHECK(memory.is_pinned(pinned + 99, 4));
  CHECK_FALSE(memory.is_pinned(pinned + 99, 400));
  CHECK_FALSE(memory.is_pinned(&memory, 4));
  std::fill(pinned, pinned + 100, 3.0f);
  float* const y = device.room<float>(100);
  device.stream->copy(y, pinned, 400, CopyKind::to_device);
  memory.release(pinned, MemoryKind::pinned);
  void* const other = take(memory, 400, MemoryKind::pinned);
  CHECK(other != pinned);  // the copy waits
  CHECK(device.values(y, 100)[99] == 3);
  CHECK(take(memory, 400, MemoryKind::pinned) == pinned);
}

TEST_CASE("a copy beside queued work is done as early as its mark, and found by what is queued later") {
  TestDevice device;
  Stream& stream = *device.stream;
  auto* const next = static_cast<float*>(take(device.memory, 400, MemoryKind::pinned));
  std::fill(next, next + 100, 3.0f);
  float *const y = device.room<float>(100), *const before = device.room<float>(100),
               *const after = device.room<float>(100);
  stream.zero(y, 400);
  const uint64_t mark = stream.mark();
  stream.copy(before, y, 400, CopyKind::on_device);  // should not look at y any more
  stream.copy_after(mark, y, next, 400);
  stream.copy(after, y, 400, CopyKind::on_device);
  CHECK_FALSE(stream.passed(mark));
  CHECK(device.values(before, 100)[99] == 3);  // a GPU may be as early
  CHECK(device.values(after, 100)[99] == 3);
  CHECK(stream.passed(mark));
  std::fill(next, next + 100, 4.0f);
  stream.copy_after(mark, y, next, 400);  // long passed
  CHECK(device.values(y, 100)[0] == 4);
  CHECK_FALSE(stream.passed(stream.mark() + 1));
}

}  // namespace
}  // namespace ntq::cuda
