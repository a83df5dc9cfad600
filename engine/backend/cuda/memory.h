#pragma once
// Caching allocator: what is given back is used again at once, since all work of the device is in one order, so that a
// steady training step asks the driver for nothing.
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "engine/backend/cuda/stream.h"

namespace ntq::cuda {

struct MemoryUse {
  size_t in_use = 0, most_in_use = 0, reserved = 0;  ///< bytes of device memory
  uint64_t segments = 0;                             ///< how often the driver was asked
};

/// Pieces of device memory, aligned to 256 bytes, are cut from segments, the smallest free piece that fits; free
/// neighbours grow together again. Pinned memory is kept by size and used again when the work queued before is done.
class Memory {
 public:
  explicit Memory(Stream& stream) : stream_(stream) {}
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// Null: the stream has an error that says how much was asked for, what there is, and what to try.
  void* allocate(size_t bytes, MemoryKind kind);
  void release(void* memory, MemoryKind kind);
  /// Whether all of [memory, memory + bytes) is pinned memory given by allocate().
  bool is_pinned(const void* memory, size_t bytes) const;
  /// To the driver, what nobody uses.
  void give_back();
  MemoryUse use() const;

 private:
  struct Piece {
    size_t size = 0;
    bool free = false, begins_segment = false;
  };
  using Pieces = std::map<char*, Piece>;
  using BySize = std::set<std::pair<size_t, char*>>;
  struct Pinned {
    size_t size = 0;
    bool free = false;
    uint64_t mark = 0;  ///< when it was given back
  };

  void* take(size_t bytes);
  void* take_pinned(size_t bytes);
  bool add_segment(size_t size);
  void set_free(Pieces::iterator piece);
  void give_back_free();
  void give_back_free_pinned();
  void leave_out_of_memory(size_t bytes);

  Stream& stream_;
  mutable std::mutex mutex_;
  Pieces pieces_;                   // of all segments
  BySize free_;                     // of those, the free ones
  std::map<char*, Pinned> pinned_;  // all
  MemoryUse use_;
};

}  // namespace ntq::cuda
