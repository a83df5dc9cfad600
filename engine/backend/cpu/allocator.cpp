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
constexpr size_t kLarge = size_t{256} << 10, kSegment = size_t{32} << 20;

size_t round_up(size_t size, size_t to) { return (size + to - 1) / to * to; }

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

void* CachingAllocator::ask_system(size_t size, size_t alignment) {
  void* const block = std::aligned_alloc(alignment, size);
  if (!block) return nullptr;
  use_.reserved += size;
  ++use_.system_allocations;
  return block;
}

void* CachingAllocator::take_small(size_t size) {
  const auto kept = free_.try_emplace(size).first;  // so that release() finds it
  void* block = kept->second.pop();
  if (!block) block = ask_system(size, 64);
  if (!block) return nullptr;
  try {
    block_sizes_[block] = size;
  } catch (...) {
    kept->second.push(block);
    throw;
  }
  return block;
}

/// The smallest free piece that fits, cut to size. Null: there is none.
void* CachingAllocator::take_large(size_t size) {
  auto best = pieces_.end();
  for (const auto& piece : free_pieces_) {
    if (piece->second.size >= size && (best == pieces_.end() || piece->second.size < best->second.size)) best = piece;
  }
  if (best == pieces_.end()) return nullptr;
  if (best->second.size > size) {
    const Piece rest{best->second.size - size, true, false};
    free_pieces_.reserve(pieces_.size() + 1);  // all may become free, when there is no memory for a list
    free_pieces_.push_back(pieces_.emplace(best->first + size, rest).first);
    best->second.size = size;
  }
  forget_free(best);
  return best->first;
}

bool CachingAllocator::add_segment(size_t size) {
  const size_t whole = round_up(size, kHuge);
  auto* const memory = static_cast<std::byte*>(ask_system(whole, kHuge));
  if (!memory) return false;
  madvise(memory, whole, MADV_HUGEPAGE);
  try {
    free_pieces_.reserve(pieces_.size() + 1);
    free_pieces_.push_back(pieces_.emplace(memory, Piece{whole, true, true}).first);
  } catch (...) {
    std::free(memory);
    use_.reserved -= whole;
    throw;
  }
  return true;
}

void CachingAllocator::forget_free(Pieces::iterator piece) {
  piece->second.free = false;
  *std::find(free_pieces_.begin(), free_pieces_.end(), piece) = free_pieces_.back();
  free_pieces_.pop_back();
}

/// Whether it was a large block.
bool CachingAllocator::release_large(void* memory) noexcept {
  auto piece = pieces_.find(static_cast<std::byte*>(memory));
  if (piece == pieces_.end() || piece->second.free) return false;
  use_.in_use -= piece->second.size;
  piece->second.free = true;
  const auto join = [&](Pieces::iterator left, Pieces::iterator right) {
    left->second.size += right->second.size;
    pieces_.erase(right);
  };
  if (const auto next = std::next(piece); next != pieces_.end() && next->second.free && !next->second.begins_segment) {
    forget_free(next);
    join(piece, next);
  }
  if (!piece->second.begins_segment && std::prev(piece)->second.free) {
    join(std::prev(piece), piece);
  } else {
    free_pieces_.push_back(piece);
  }
  return true;
}

void CachingAllocator::give_back_kept() {
  for (auto& [size, kept] : free_) {
    while (void* const block = kept.pop()) {
      std::free(block);
      use_.reserved -= size;
    }
  }
  for (auto piece = pieces_.begin(); piece != pieces_.end();) {
    const auto next = std::next(piece);
    const bool whole = piece->second.begins_segment && (next == pieces_.end() || next->second.begins_segment);
    if (whole && piece->second.free) {
      forget_free(piece);
      std::free(piece->first);
      use_.reserved -= piece->second.size;
      pieces_.erase(piece);
    }
    piece = next;
  }
}

void* CachingAllocator::allocate(size_t bytes) {
  check(bytes <= (size_t{1} << 62), "allocate: ", bytes, " bytes are more than any machine has");
  const bool large = bytes >= kLarge;
  const size_t size = large ? round_up(bytes, 4096) : block_size(bytes);
  const std::lock_guard lock(mutex_);
  void* block = large ? take_large(size) : take_small(size);
  if (!block && large && add_segment(std::max(size, kSegment))) block = take_large(size);
  if (!block) {
    give_back_kept();  // what is free elsewhere may make room
    block = !large ? take_small(size) : add_segment(size) ? take_large(size) : nullptr;
  }
  if (!block)
    throw DeviceError(concat("out of memory: ", (bytes >> 20) + 1, " MB asked for with ", use_.in_use >> 20,
                             " MB in use; a smaller batch size or recomputed blocks need less"));
  use_.in_use += size;
  use_.peak = std::max(use_.peak, use_.in_use);
  return block;
}

void CachingAllocator::release(void* memory, size_t) noexcept {
  if (!memory) return;
  const std::lock_guard lock(mutex_);
  if (release_large(memory)) return;
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
