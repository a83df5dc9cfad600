#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {

void CudaBackend::conv2d(const ConvGeometry& g, ConstView x, ConstView w, View y) { convolutions_.forward(g, x, w, y); }

void CudaBackend::conv2d_grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) {
  convolutions_.grad_input(g, dy, w, dx);
}

void CudaBackend::conv2d_grad_weight(const ConvGeometry& g, ConstView dy, ConstView x, View dw) {
  convolutions_.grad_weight(g, dy, x, dw);
}

}  // namespace ntq::cuda
