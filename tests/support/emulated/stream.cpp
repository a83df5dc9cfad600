#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

#include "tests/support/emulated/guard.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cuda {
namespace {

/// Two devices, of 64 MB and of 64 KB; the second one's host can pin as much.
constexpr std::array<size_t, 2> kSizes = {size_t{64} << 20, size_t{64} << 10};
Stream::State* first_device = nullptr;

constexpr size_t kAlignment = 256;

}  // namespace

Stream::Stream(std::unique_ptr<State> state, DeviceFacts facts) : state_(std::move(state)), facts_(std::move(facts)) {}
Stream::~Stream() = default;

std::unique_ptr<Stream> Stream::open(int index, BackendError& error) {
  if (index >= static_cast<int>(kSizes.size())) {
    error.code = BackendError::Code::failed;
    std::snprintf(error.text, sizeof error.text, "there are %zu emulated devices", kSizes.size());
    return nullptr;
  }
  auto state = std::make_unique<State>(kSizes[static_cast<size_t>(index)]);
  if (index == 0) first_device = state.get();
  if (index == 1) state->pinned_limit = kSizes[1];
  return std::unique_ptr<Stream>(
      new Stream(std::move(state), {.name = "emulated device", .versions = "no driver", .multiprocessors = 4}));
}

DeviceBytes Stream::bytes() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->arena.size() - state_->reserved, state_->arena.size()};
}

void* Stream::allocate(size_t bytes) {
  const std::lock_guard lock(state_->mutex);
  ++state_->counters.segments;
  void* const memory = state_->arena.allocate(bytes);
  if (!memory) return nullptr;
  state_->segments[memory] = bytes;
  state_->reserved += bytes;
  return memory;
}

void Stream::release(void* memory) {
  synchronize();
  const std::lock_guard lock(state_->mutex);
  const auto segment = state_->segments.find(memory);
  emulated::allow(memory, segment->second);
  state_->reserved -= segment->second;
  state_->segments.erase(segment);
  state_->arena.release(memory);
}

void* Stream::allocate_pinned(size_t bytes) {
  const std::lock_guard lock(state_->mutex);
  ++state_->counters.pinned;
  size_t held = 0;
  for (const auto& entry : state_->pinned) held += entry.second;
  if (bytes > state_->pinned_limit - std::min(held, state_->pinned_limit)) return nullptr;
  void* const memory = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (memory) state_->pinned[memory] = bytes;
  return memory;
}

void Stream::release_pinned(void* memory) {
  synchronize();
  const std::lock_guard lock(state_->mutex);
  state_->pinned.erase(memory);
  std::free(memory);
}

void Stream::begin_use(void* memory, size_t bytes, size_t room) {
  const std::lock_guard lock(state_->mutex);
  auto* const begin = static_cast<char*>(memory);
  state_->queue.emplace_back([state = state_.get(), begin, bytes, room] {
    emulated::allow(begin, bytes);
    std::memset(begin, emulated::kUnwritten, bytes);
    emulated::forbid(begin + bytes, room - bytes);
    state->uses[begin] = {bytes, room};
  });
}

void Stream::end_use(void* memory, size_t room) {
  const std::lock_guard lock(state_->mutex);
  auto* const begin = static_cast<char*>(memory);
  state_->queue.emplace_back([state = state_.get(), begin, room] {
    emulated::forbid(begin, room);
    state->uses.erase(begin);
  });
}

void Stream::copy(void* to, const void* from, size_t bytes, CopyKind kind) {
  const std::lock_guard lock(state_->mutex);
  if (kind == CopyKind::to_host) ++state_->counters.copies_to_host;
  state_->queue.emplace_back([=] { std::memcpy(to, from, bytes); });
}

/// As early as it may be done on a GPU: what was queued since finds the bytes if it should not look there.
void Stream::copy_after(uint64_t mark, void* to, const void* from, size_t bytes) {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->marks.find(mark);
  const auto next = place == state_->marks.end() ? state_->queue.begin() : std::next(place->second);
  state_->queue.insert(next, [=] { std::memcpy(to, from, bytes); });
}

void Stream::zero(void* memory, size_t bytes) {
  state_->later([=] { std::memset(memory, 0, bytes); });
}

void Stream::launch(const KernelEntry& kernel, const Grid& grid, const void* args) {
  std::vector<unsigned char> kept(static_cast<const unsigned char*>(args),
                                  static_cast<const unsigned char*>(args) + kernel.args_bytes);
  state_->later(
      [state = state_.get(), kernel, grid, kept = std::move(kept)] { state->run_kernel(kernel, grid, kept.data()); });
}

uint64_t Stream::mark() {
  const std::lock_guard lock(state_->mutex);
  state_->marks[++state_->marked] = state_->queue.insert(state_->queue.end(), [] {});
  return state_->marked;
}

bool Stream::passed(uint64_t mark) {
  const std::lock_guard lock(state_->mutex);
  return mark <= state_->marked && !state_->marks.contains(mark);
}

void Stream::synchronize() {
  const std::lock_guard lock(state_->mutex);
  ++state_->counters.waits;
  state_->arena.open();
  for (const auto& work : state_->queue) work();
  state_->queue.clear();
  state_->marks.clear();
  state_->arena.close();
}

void Stream::leave_error(BackendError::Code code, const std::string& text) {
  const std::lock_guard lock(state_->mutex);
  state_->leave_error(code, text);
}

BackendError Stream::take_error() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->error, {});
}

void Stream::State::later(std::function<void()> work) {
  const std::lock_guard lock(mutex);
  if (error.code == BackendError::Code::none) queue.push_back(std::move(work));
}

void Stream::State::leave_error(BackendError::Code code, const std::string& text) {
  if (error.code != BackendError::Code::none) return;
  error.code = code;
  std::snprintf(error.text, sizeof error.text, "%s", text.c_str());
}

}  // namespace ntq::cuda

void ntq_emulated_counters(ntq::emulated::Counters* out) { *out = ntq::cuda::first_device->counters; }
