#include "engine/backend/cuda/cuda_backend.h"

#include <algorithm>
#include <cstring>

namespace ntq::cuda {

std::string CudaBackend::describe() const {
  const DeviceFacts& facts = stream_->facts();
  return facts.name + ", " + std::to_string(facts.multiprocessors) + " multiprocessors, " +
         std::to_string(stream_->bytes().total >> 20) + " MB, " + facts.versions + ", " + convolutions_.describe();
}

void CudaBackend::release(void* memory, size_t, MemoryKind kind) { memory_.release(memory, kind); }

void CudaBackend::copy(void* to, const void* from, size_t bytes, CopyKind kind) {
  if (bytes == 0) return;
  if (kind != CopyKind::to_device || memory_.is_pinned(from, bytes)) return stream_->copy(to, from, bytes, kind);
  // What the caller may change at once is copied to memory that the queue may read later: nobody waits, but for
  // copies so large that they would take much of it.
  constexpr size_t kPiece = size_t{32} << 20;
  for (size_t at = 0; at < bytes; at += kPiece) {
    const size_t size = std::min(kPiece, bytes - at);
    void* const piece = memory_.allocate(size, MemoryKind::pinned);
    if (!piece) return;
    std::memcpy(piece, static_cast<const char*>(from) + at, size);
    stream_->copy(static_cast<char*>(to) + at, piece, size, kind);
    memory_.release(piece, MemoryKind::pinned);
    if (bytes > kPiece) stream_->synchronize();
  }
}

void CudaBackend::copy_after(uint64_t place, void* to, const void* from, size_t bytes) {
  if (!memory_.is_pinned(from, bytes)) return copy(to, from, bytes, CopyKind::to_device);
  stream_->copy_after(place, to, from, bytes);
}

bool CudaBackend::use_products(Products products) {
  convolutions_.use(products);
  return true;
}

Grid CudaBackend::grid_for(int64_t items) const {
  // Many times what the device runs at a time: a thread has one load on its way, so only new threads keep memory busy.
  const int64_t most = int64_t{128} * stream_->facts().multiprocessors;
  return {.blocks = static_cast<unsigned>(std::clamp<int64_t>((items + kMostThreads - 1) / kMostThreads, 1, most))};
}

}  // namespace ntq::cuda
