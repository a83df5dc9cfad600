// Memory, copies, the queue.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tests/support/emulated/device.h"

namespace ntq::emulated {

std::string Emulated::describe() const { return "emulated device, " + std::to_string(arena_.size() >> 10) + " KB"; }

bool Emulated::supports(Primitive primitive, DType type) const {
  const bool lacking = primitive == Primitive::cast || primitive == Primitive::max_pool ||
                       primitive == Primitive::max_pool_grad || primitive == Primitive::quantize_codes ||
                       primitive == Primitive::decode_codes || primitive == Primitive::batch_norm_codes ||
                       primitive == Primitive::conv2d_codes;
  return !lacking && type == DType::f32;
}

void Emulated::leave_error(BackendError::Code code, const char* text) {
  if (error_.code != BackendError::Code::none) return;
  error_.code = code;
  std::snprintf(error_.text, sizeof error_.text, "%s", text);
}

void Emulated::lacks(const char* primitive) {
  const std::lock_guard lock(mutex_);
  leave_error(BackendError::Code::unsupported, ("there is no " + std::string(primitive)).c_str());
}

void* Emulated::allocate(size_t bytes, MemoryKind kind) {
  const std::lock_guard lock(mutex_);
  if (kind == MemoryKind::pinned) {
    void* const memory = std::aligned_alloc(64, (bytes / 64 + 1) * 64);
    pinned_.insert(memory);
    return memory;
  }
  void* const memory = arena_.allocate(bytes);
  if (!memory) {
    char text[100];
    std::snprintf(text, sizeof text, "%zu bytes asked for on an emulated device of %zu", bytes, arena_.size());
    leave_error(BackendError::Code::out_of_memory, text);
  }
  return memory;
}

void Emulated::release(void* memory, size_t, MemoryKind kind) {
  if (kind == MemoryKind::pinned) synchronize();  // the queue may read it
  const std::lock_guard lock(mutex_);
  if (kind == MemoryKind::device) {
    arena_.release(memory);  // whoever gets it next is behind in the queue
    return;
  }
  pinned_.erase(memory);
  std::free(memory);
}

void Emulated::copy(void* to, const void* from, size_t bytes, CopyKind kind) {
  const std::unique_lock lock(mutex_);
  const void* source = from;
  if (kind == CopyKind::to_host) ++counters_.copies_to_host;
  if (kind == CopyKind::to_device && pinned_.count(const_cast<void*>(from)) == 0) {
    std::vector<char> read(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
    queue_.emplace_back([to, read = std::move(read)] { std::memcpy(to, read.data(), read.size()); });
    return;
  }
  queue_.emplace_back([=] { std::memcpy(to, source, bytes); });
}

void Emulated::zero(void* memory, size_t bytes) {
  later([=] { std::memset(memory, 0, bytes); });
}

void Emulated::later(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (error_.code == BackendError::Code::none) queue_.push_back(std::move(work));
}

void Emulated::synchronize() {
  const std::lock_guard lock(mutex_);
  ++counters_.waits;
  arena_.open();
  for (const auto& work : queue_) work();
  queue_.clear();
  arena_.close();
}

BackendError Emulated::take_error() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, {});
}

}  // namespace ntq::emulated
