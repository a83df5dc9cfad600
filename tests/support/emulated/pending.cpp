// What the device lacks. A family that gets kernels (engine/backend/cuda) takes its lines from here, and its plain
// loops from the files beside.
#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {

bool CudaBackend::is_pending(Primitive primitive) {
  switch (primitive) {
    case Primitive::conv2d_codes: return true;
    default: return false;
  }
}

}  // namespace ntq::cuda
