// The emulated device finds what a kernel does wrong.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "tests/cuda/device.h"
#include "tests/support/text.h"

namespace ntq::cuda {
namespace {

using test::contains;

/// Whether a process that runs it ends badly: by a fault, the address sanitizer, or because it returns false.
bool ends_badly(const std::function<bool()>& run) {
  const pid_t child = fork();
  if (child == 0) {
    close(STDOUT_FILENO), close(STDERR_FILENO);
    _exit(run() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status != 0;
}

struct Values {
  float* y;
  int64_t n;
};

/// Every block adds up its threads' numbers in shared memory.
struct BlockSumKernel {
  using Args = Values;
  static constexpr bool kSyncs = true;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    float* const room = thread.shared<float>();
    room[thread.index()] = static_cast<float>(thread.index() + 1000 * thread.block());
    for (unsigned step = thread.threads() / 2; step > 0; step /= 2) {
      thread.sync();
      if (thread.index() < step) room[thread.index()] += room[thread.index() + step];
    }
    if (thread.index() == 0) args.y[thread.block()] = room[0];
  }
};

struct DivergentKernel {
  using Args = Values;
  static constexpr bool kSyncs = true;
  NTQ_DEVICE static void run(Thread& thread, const Args&) {
    if (thread.index() % 2 == 0) thread.sync();
  }
};

struct UndeclaredSyncKernel {
  using Args = Values;
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args&) { thread.sync(); }
};

/// Writes one element too many.
struct OverrunKernel {
  using Args = Values;
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_index(thread, args.n + 1, [&](int64_t i) { args.y[i] = 1; });
  }
};

struct SharedOverrunKernel {
  using Args = Values;
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args&) { thread.shared<float>()[thread.index()] = 1; }
};

/// What shared memory holds before anyone has written there.
struct UnwrittenKernel {
  using Args = Values;
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    args.y[thread.index()] = thread.shared<float>()[thread.index()];
  }
};

/// The last thread to come wins.
struct RaceKernel {
  using Args = Values;
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    *args.y = static_cast<float>(thread.block() * thread.threads() + thread.index());
  }
};

struct CountKernel {
  using Args = Values;
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_index(thread, args.n, [&](int64_t i) { args.y[i] = static_cast<float>(i); });
  }
};

TEST_CASE("threads of a block wait for each other, in either order") {
  for (const bool backwards : {false, true}) {
    TestDevice device;
    float* const y = device.room<float>(3);
    if (backwards) {
      const Backwards order;
      device.stream->launch<BlockSumKernel>({3, 64, 64 * sizeof(float)}, {y, 3});
      device.stream->synchronize();
    } else {
      device.stream->launch<BlockSumKernel>({3, 64, 64 * sizeof(float)}, {y, 3});
    }
    CHECK(device.values(y, 3) == std::vector<float>{2016, 2016 + 64000, 2016 + 128000});
    CHECK(device.error().empty());
  }
}

TEST_CASE("every index has its thread, whatever the grid") {
  for (const Grid& grid : {Grid{1, 1}, {1, 256}, {7, 32}, {32, 256}}) {
    TestDevice device;
    float* const y = device.room<float>(1000);
    device.stream->launch<CountKernel>(grid, {y, 1000});
    std::vector<float> expected(1000);
    std::iota(expected.begin(), expected.end(), 0.0f);
    CHECK(device.values(y, 1000) == expected);
  }
}

TEST_CASE("a barrier that some threads never reach is found, by the kernel's name") {
  TestDevice device;
  device.stream->launch<DivergentKernel>({1, 32}, {nullptr, 0});
  const std::string error = device.error();
  CHECK(contains(error, "DivergentKernel"));
  CHECK(contains(error, "some threads ended while others waited"));
  device.stream->launch<UndeclaredSyncKernel>({1, 32}, {nullptr, 0});
  CHECK(contains(device.error(), "UndeclaredSyncKernel: sync() was called, kSyncs is false"));
  device.stream->launch<CountKernel>({0, 32}, {nullptr, 0});
  CHECK(contains(device.error(), "no grid of a device"));
  float* const y = device.room<float>(1);
  device.stream->launch<CountKernel>({1, 1}, {y, 1});  // the device goes on
  CHECK(device.values(y, 1)[0] == 0);
  CHECK(device.error().empty());
}

TEST_CASE("what is written out of bounds is found") {
  // 64 floats: the element behind them lies in the next 256 bytes, which are nobody's.
  CHECK(ends_badly([] {
    TestDevice device;
    device.stream->launch<OverrunKernel>({1, 32}, {device.room<float>(64), 64});
    return device.error().empty();
  }));
  CHECK(ends_badly([] {
    TestDevice device;
    device.stream->launch<SharedOverrunKernel>({1, 32, 31 * sizeof(float)}, {nullptr, 0});
    return device.error().empty();
  }));
  CHECK(ends_badly([] {  // what has been given back
    TestDevice device;
    float* const y = device.room<float>(64);
    float* const next = device.room<float>(64);
    device.memory.release(y, MemoryKind::device);
    device.stream->launch<CountKernel>({1, 32}, {y, 64});
    const bool as_it_was = std::isnan(device.values(y, 1)[0]) && next;
    return as_it_was;
  }));
  CHECK_FALSE(ends_badly([] {
    TestDevice device;
    device.stream->launch<OverrunKernel>({1, 32}, {device.room<float>(64), 63});
    return device.error().empty();
  }));
}

TEST_CASE("the host cannot reach device memory") {
  CHECK(ends_badly([] {
    TestDevice device;
    const volatile float* const y = device.room<float>(1);
    device.stream->synchronize();
    return *y != 0;
  }));
}

TEST_CASE("memory that nobody has written is not a number") {
  TestDevice device;
  float* const y = device.room<float>(32);
  CHECK(std::isnan(device.values(y, 32)[31]));
  device.stream->launch<UnwrittenKernel>({1, 32, 32 * sizeof(float)}, {y, 32});
  for (const float value : device.values(y, 32)) CHECK(std::isnan(value));
}

TEST_CASE("a result that depends on the order of threads differs between the two orders") {
  TestDevice device;
  float* const y = device.room<float>(1);
  device.stream->launch<RaceKernel>({2, 8}, {y, 1});
  CHECK(device.values(y, 1)[0] == 15);
  const Backwards order;
  device.stream->launch<RaceKernel>({2, 8}, {y, 1});
  CHECK(device.values(y, 1)[0] == 0);
}

}  // namespace
}  // namespace ntq::cuda
