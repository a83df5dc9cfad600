#pragma once
// Caching allocator: freed blocks are kept and reused, so a steady training step asks the system for nothing.
#include <map>
#include <mutex>

#include "engine/backend/cpu_settings.h"

namespace ntq::cpu {

class CachingAllocator {
 public:
  CachingAllocator() = default;
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  /// At least one byte, aligned to 64 (to 2 MB from 2 MB on, for huge pages). Throws DeviceError when memory is out.
  void* allocate(size_t bytes);
  /// Needs no memory itself, so that it may run where there is none left.
  void release(void* memory, size_t bytes) noexcept;
  /// To the system, what nobody uses.
  void give_back();
  MemoryUse use() const;

 private:
  /// Kept blocks of one size: each begins with the address of the next.
  struct Kept {
    void* first = nullptr;
    void push(void* block);
    void* pop();
  };
  void* take_kept(size_t& size);
  void* ask_system(size_t size);
  void give_back_kept();

  mutable std::mutex mutex_;
  std::map<size_t, Kept> free_;          // by block size; an entry for every size that is in use
  std::map<void*, size_t> block_sizes_;  // of blocks in use
  MemoryUse use_;
};

}  // namespace ntq::cpu
