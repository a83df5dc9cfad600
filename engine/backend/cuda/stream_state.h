#pragma once
// What Stream is made of on a GPU, for what calls CUDA's libraries beside it.
#include <cuda_runtime_api.h>

#include <map>
#include <mutex>
#include <string>

#include "engine/backend/cuda/stream.h"

namespace ntq::cuda {

struct Stream::State {
  int device = 0;
  cudaStream_t stream = nullptr;
  cudaStream_t copies = nullptr;  ///< of copy_after()
  cudaEvent_t copied = nullptr;   ///< the last of them

  /// Calls of the runtime go to the device of the thread that calls.
  void use_device() const;
  /// Leaves an error that says what failed.
  void check(cudaError_t status, const char* what);
  void leave_error(BackendError::Code code, const std::string& text);

  cudaError_t copy_beside(uint64_t mark, void* to, const void* from, size_t bytes);

  std::mutex mutex;
  std::map<uint64_t, cudaEvent_t> marks;  ///< not known to have passed
  uint64_t marked = 0;
  BackendError error;
};

}  // namespace ntq::cuda
