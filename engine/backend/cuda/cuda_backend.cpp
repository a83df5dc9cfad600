#include "engine/backend/cuda/cuda_backend.h"

#include <algorithm>

namespace ntq::cuda {

std::string CudaBackend::describe() const {
  const DeviceFacts& facts = stream_->facts();
  return facts.name + ", " + std::to_string(facts.multiprocessors) + " multiprocessors, " +
         std::to_string(stream_->bytes().total >> 20) + " MB, " + facts.versions + ", " + convolutions_.describe();
}

void CudaBackend::release(void* memory, size_t, MemoryKind kind) { memory_.release(memory, kind); }

void CudaBackend::copy(void* to, const void* from, size_t bytes, CopyKind kind) {
  if (bytes == 0) return;
  const void* const host = kind == CopyKind::to_device ? from : to;
  stream_->copy(to, from, bytes, kind, kind != CopyKind::on_device && memory_.is_pinned(host, bytes));
}

Grid CudaBackend::grid_for(int64_t items) const {
  const int64_t most = int64_t{8} * stream_->facts().multiprocessors;  // what the device runs at a time
  return {.blocks = static_cast<unsigned>(std::clamp<int64_t>((items + kMostThreads - 1) / kMostThreads, 1, most))};
}

}  // namespace ntq::cuda
