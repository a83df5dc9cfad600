#include "engine/backend/cpu/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "engine/check.h"

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

CachingAllocator::~CachingAllocator() {
  for (auto& [size, blocks] : free_) {
    for (void* block : blocks) std::free(block);
  }
}

void* CachingAllocator::allocate(size_t bytes) {
  check(bytes <= (size_t{1} << 62), "allocate: ", bytes, " bytes are more than any machine has");
  const size_t size = block_size(bytes);
  const std::lock_guard lock(mutex_);
  void* block = nullptr;
  // The smallest kept block that fits without wasting more than a quarter.
  const auto found = free_.lower_bound(size);
  size_t taken = size;
  if (found != free_.end() && found->first <= size + size / 4) {
    taken = found->first;
    block = found->second.back();
    found->second.pop_back();
    if (found->second.empty()) free_.erase(found);
  } else {
    const size_t alignment = size >= kHuge ? kHuge : 64;
    block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (!block)
      throw DeviceError(concat("out of memory: ", bytes >> 20, " MB asked for with ", use_.in_use >> 20,
                               " MB in use; a smaller batch size needs less"));
    if (size >= kHuge) madvise(block, size, MADV_HUGEPAGE);
    use_.reserved += size;
    ++use_.system_allocations;
  }
  block_sizes_[block] = taken;
  use_.in_use += taken;
  use_.peak = std::max(use_.peak, use_.in_use);
  return block;
}

void CachingAllocator::release(void* memory, size_t) {
  if (!memory) return;
  const std::lock_guard lock(mutex_);
  const auto found = block_sizes_.find(memory);
  if (found == block_sizes_.end()) return;
  use_.in_use -= found->second;
  free_[found->second].push_back(memory);
  block_sizes_.erase(found);
}

MemoryUse CachingAllocator::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

}  // namespace ntq::cpu
