#pragma once
// Caching allocator: freed blocks are kept and reused, so a steady training step asks the system for nothing.
#include <map>
#include <mutex>
#include <vector>

#include "engine/backend/cpu_settings.h"

namespace ntq::cpu {

/// Small blocks are kept by size. Large ones are cut from segments of at least 32 MB, the smallest free piece that
/// fits, and grow together again with free neighbours: sizes that take turns share memory.
class CachingAllocator {
 public:
  CachingAllocator() = default;
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  /// At least one byte, aligned to 64. Throws DeviceError when memory is out.
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
  struct Piece {
    size_t size;
    bool free, begins_segment;
  };
  using Pieces = std::map<std::byte*, Piece>;

  void* take_small(size_t size);
  void* take_large(size_t size);
  bool add_segment(size_t size);
  void forget_free(Pieces::iterator piece);
  bool release_large(void* memory) noexcept;
  void* ask_system(size_t size, size_t alignment);
  void give_back_kept();

  mutable std::mutex mutex_;
  std::map<size_t, Kept> free_;          // small, by block size; an entry for every size that is in use
  std::map<void*, size_t> block_sizes_;  // of small blocks in use
  Pieces pieces_;                        // of all segments
  std::vector<Pieces::iterator> free_pieces_;
  MemoryUse use_;
};

}  // namespace ntq::cpu
