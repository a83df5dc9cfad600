// What the device lacks. A family that gets kernels (engine/backend/cuda) takes its lines from here, and its plain
// loops from the files beside.
#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {

bool CudaBackend::is_pending(Primitive primitive) {
  switch (primitive) {
    case Primitive::cast:
    case Primitive::decode_codes:
    case Primitive::max_pool:
    case Primitive::max_pool_grad:
    case Primitive::quantize_codes:
    case Primitive::batch_norm_codes:
    case Primitive::conv2d_codes: return true;
    default: return false;
  }
}

void CudaBackend::cast(ConstView, View) { leave_pending(); }
void CudaBackend::max_pool(const PoolGeometry&, ConstView, View, View) { leave_pending(); }
void CudaBackend::max_pool_grad(const PoolGeometry&, ConstView, ConstView, View) { leave_pending(); }
void CudaBackend::quantize_codes(QuantRange, ConstView, ConstView, View, View) { leave_pending(); }
void CudaBackend::decode_codes(ConstView, ConstView, View) { leave_pending(); }

}  // namespace ntq::cuda
