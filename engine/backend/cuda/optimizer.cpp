#include "engine/backend/cuda/kernels/optimizer.h"

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/with_access.h"

namespace ntq::cuda {

void CudaBackend::sgd_step(const SgdUpdate& update, View w, ConstView g, View m) {
  with_access(aligned(w, g, m), [&](auto access) {
    stream_->launch<SgdKernel<access>>(grid_for(ceil_div(w.size, 4)),
                                       {update, floats(w), floats(g), floats(m), w.size});
  });
}

void CudaBackend::adam_step(const AdamUpdate& update, View w, ConstView g, View m, View v) {
  with_access(aligned(w, g, m, v), [&](auto access) {
    stream_->launch<AdamKernel<access>>(grid_for(ceil_div(w.size, 4)),
                                        {update, floats(w), floats(g), floats(m), floats(v), w.size});
  });
}

}  // namespace ntq::cuda
