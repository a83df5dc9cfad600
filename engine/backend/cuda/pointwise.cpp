#include "engine/backend/cuda/kernels/pointwise.h"

#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {

void CudaBackend::fill(float value, View y) {
  stream_->launch<FillKernel>(grid_for(y.size), {value, floats(y), y.size});
}

}  // namespace ntq::cuda
