#pragma once
// Caching allocator: freed blocks are kept and reused, so a steady training step asks the system for nothing.
#include <map>
#include <mutex>
#include <vector>

#include "engine/backend/backend.h"

namespace ntq::cpu {

class CachingAllocator {
 public:
  CachingAllocator() = default;
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  /// At least one byte, aligned to 64 (to 2 MB from 2 MB on, for huge pages). Throws DeviceError when memory is out.
  void* allocate(size_t bytes);
  void release(void* memory, size_t bytes);
  MemoryUse use() const;

 private:
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;  // by block size
  std::map<void*, size_t> block_sizes_;        // of blocks in use
  MemoryUse use_;
};

}  // namespace ntq::cpu
