#include "engine/backend/cuda/memory.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace ntq::cuda {
namespace {

constexpr size_t kAlignment = 256, kMega = size_t{1} << 20;

/// With at least one byte to spare, so that the emulated device sees a kernel that writes behind the end.
size_t room_for(size_t bytes) { return (bytes / kAlignment + 1) * kAlignment; }

/// Enough for many small pieces, little of a small device.
size_t segment_size(size_t room, size_t total) {
  const size_t usual = std::clamp(total / 16 / kAlignment * kAlignment, 16 * kAlignment, 64 * kMega);
  return room > usual ? (total > 64 * kMega ? (room + 2 * kMega - 1) / (2 * kMega) * (2 * kMega) : room) : usual;
}

}  // namespace

Memory::~Memory() {
  for (const auto& [memory, piece] : pieces_) {
    if (piece.begins_segment) stream_.release(memory);
  }
  for (const auto& entry : pinned_) stream_.release_pinned(entry.first);
}

void* Memory::allocate(size_t bytes, MemoryKind kind) {
  const std::lock_guard lock(mutex_);
  if (bytes > ~size_t{0} / 2) {
    leave_out_of_memory(bytes);
    return nullptr;
  }
  return kind == MemoryKind::pinned ? take_pinned(bytes) : take(bytes);
}

void* Memory::take(size_t bytes) {
  const size_t room = room_for(bytes);
  auto found = free_.lower_bound({room, nullptr});
  if (found == free_.end()) {
    if (!add_segment(segment_size(room, stream_.bytes().total)) && !add_segment(room)) {
      give_back_free();
      if (!add_segment(room)) {
        leave_out_of_memory(bytes);
        return nullptr;
      }
    }
    found = free_.lower_bound({room, nullptr});
  }
  char* const memory = found->second;
  free_.erase(found);
  const auto piece = pieces_.find(memory);
  piece->second.free = false;
  if (const size_t rest = piece->second.size - room; rest > 0) {
    piece->second.size = room;
    set_free(pieces_.emplace(memory + room, Piece{rest, true, false}).first);
  }
  use_.in_use += room;
  use_.most_in_use = std::max(use_.most_in_use, use_.in_use);
  stream_.begin_use(memory, bytes, room);
  return memory;
}

bool Memory::add_segment(size_t size) {
  auto* const memory = static_cast<char*>(stream_.allocate(size));
  if (!memory) return false;
  set_free(pieces_.emplace(memory, Piece{size, true, true}).first);
  use_.reserved += size;
  ++use_.segments;
  return true;
}

void Memory::set_free(Pieces::iterator piece) {
  piece->second.free = true;
  free_.emplace(piece->second.size, piece->first);
}

void Memory::release(void* memory, MemoryKind kind) {
  const std::lock_guard lock(mutex_);
  if (kind == MemoryKind::pinned) {
    Pinned& block = pinned_.at(static_cast<char*>(memory));
    block.free = true;
    block.mark = stream_.mark();
    return;
  }
  auto piece = pieces_.find(static_cast<char*>(memory));
  const size_t room = piece->second.size;
  stream_.end_use(memory, room);
  use_.in_use -= room;
  const auto joins = [&](Pieces::iterator next) {
    return next != pieces_.end() && next->second.free && !next->second.begins_segment;
  };
  if (const auto next = std::next(piece); joins(next)) {
    free_.erase({next->second.size, next->first});
    piece->second.size += next->second.size;
    pieces_.erase(next);
  }
  if (!piece->second.begins_segment && std::prev(piece)->second.free) {
    const auto before = std::prev(piece);
    free_.erase({before->second.size, before->first});
    before->second.size += piece->second.size;
    pieces_.erase(piece);
    piece = before;
  }
  set_free(piece);
}

void* Memory::take_pinned(size_t bytes) {
  const size_t room = room_for(bytes);
  for (auto& [memory, block] : pinned_) {
    if (!block.free || block.size != room || !stream_.passed(block.mark)) continue;
    block.free = false;
    return memory;
  }
  auto* memory = static_cast<char*>(stream_.allocate_pinned(room));
  if (!memory) {
    give_back_free_pinned();
    memory = static_cast<char*>(stream_.allocate_pinned(room));
  }
  if (!memory) {
    size_t held = 0;
    for (const auto& entry : pinned_) held += entry.second.size;
    stream_.leave_error(BackendError::Code::out_of_memory,
                        std::to_string(bytes) + " bytes of pinned host memory asked for, " + std::to_string(held) +
                            " held here; the system has no more, or a limit (ulimit -l)");
    return nullptr;
  }
  pinned_[memory] = {.size = room};
  return memory;
}

/// Of any size; release_pinned() waits for what is queued.
void Memory::give_back_free_pinned() {
  for (auto block = pinned_.begin(); block != pinned_.end();) {
    const auto next = std::next(block);
    if (block->second.free) {
      stream_.release_pinned(block->first);
      pinned_.erase(block);
    }
    block = next;
  }
}

bool Memory::is_pinned(const void* memory, size_t bytes) const {
  const std::lock_guard lock(mutex_);
  const auto* const at = static_cast<const char*>(memory);
  auto found = pinned_.upper_bound(const_cast<char*>(at));
  return found != pinned_.begin() && (--found, at + bytes <= found->first + found->second.size);
}

void Memory::give_back() {
  const std::lock_guard lock(mutex_);
  give_back_free();
}

void Memory::give_back_free() {
  for (auto piece = pieces_.begin(); piece != pieces_.end();) {
    const auto next = std::next(piece);
    const bool whole = piece->second.begins_segment && (next == pieces_.end() || next->second.begins_segment);
    if (whole && piece->second.free) {
      free_.erase({piece->second.size, piece->first});
      use_.reserved -= piece->second.size;
      stream_.release(piece->first);
      pieces_.erase(piece);
    }
    piece = next;
  }
}

void Memory::leave_out_of_memory(size_t bytes) {
  const DeviceBytes device = stream_.bytes();
  stream_.leave_error(BackendError::Code::out_of_memory,
                      std::to_string(bytes) + " bytes asked for, " + std::to_string(device.free) + " free of " +
                          std::to_string(device.total) + ", " + std::to_string(use_.in_use) + " in use here");
}

MemoryUse Memory::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

}  // namespace ntq::cuda
