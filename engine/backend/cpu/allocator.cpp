#include "engine/backend/cpu/allocator.h"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace ntq::cpu {
namespace {

constexpr size_t kHuge = size_t{2} << 20;

/// Sizes in steps of an eighth of their power of two (64 bytes at least): little waste, few different sizes.
size_t block_size(size_t bytes) {
  size_t step = 64;
  while (step * 8 < bytes) step *= 2;
  return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

}  // namespace

void CachingAllocator::Kept::push(void* block) {
  std::memcpy(block, &first, sizeof first);
  first = block;
}

void* CachingAllocator::Kept::pop() {
  void* const block = first;
  if (block) std::memcpy(&first, block, sizeof first);
  return block;
}

CachingAllocator::~CachingAllocator() { give_back_kept(); }

/// The smallest kept block that fits without wasting more than a quarter, and its size; null: none.
void* CachingAllocator::take_kept(size_t& size) {
  const size_t most = size + size / 4;
  for (auto found = free_.lower_bound(size); found != free_.end() && found->first <= most; ++found) {
    if (!found->second.first) continue;
    size = found->first;
    return found->second.pop();
  }
  return nullptr;
}

void* CachingAllocator::ask_system(size_t size) {
  const size_t alignment = size >= kHuge ? kHuge : 64;
  void* const block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!block) return nullptr;
  if (size >= kHuge) madvise(block, size, MADV_HUGEPAGE);
  use_.reserved += size;
  ++use_.system_allocations;
  return block;
}

void CachingAllocator::give_back_kept() {
  for (auto& [size, kept] : free_) {
    while (void* const block = kept.pop()) {
      std::free(block);
      use_.reserved -= size;
    }
  }
}

void* CachingAllocator::allocate(size_t bytes) {
  check(bytes <= (size_t{1} << 62), "allocate: ", bytes, " bytes are more than any machine has");
  size_t size = block_size(bytes);
  const std::lock_guard lock(mutex_);
  void* block = take_kept(size);
  if (!block) block = ask_system(size);
  if (!block) {
    give_back_kept();  // blocks of other sizes may make room
    block = ask_system(size);
  }
  if (!block)
    throw DeviceError(concat("out of memory: ", (bytes >> 20) + 1, " MB asked for with ", use_.in_use >> 20,
                             " MB in use; a smaller batch size needs less"));
  try {
    free_.try_emplace(size);  // now, so that release() finds it
    block_sizes_[block] = size;
  } catch (...) {
    std::free(block);
    use_.reserved -= size;
    throw;
  }
  use_.in_use += size;
  use_.peak = std::max(use_.peak, use_.in_use);
  return block;
}

void CachingAllocator::release(void* memory, size_t) noexcept {
  if (!memory) return;
  const std::lock_guard lock(mutex_);
  const auto found = block_sizes_.find(memory);
  if (found == block_sizes_.end()) return;
  use_.in_use -= found->second;
  free_.find(found->second)->second.push(memory);
  block_sizes_.erase(found);
}

void CachingAllocator::give_back() {
  const std::lock_guard lock(mutex_);
  give_back_kept();
  malloc_trim(0);
}

MemoryUse CachingAllocator::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

}  // namespace ntq::cpu
