// What has no kernel yet. A family that gets its own takes its lines from here.
#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {

bool CudaBackend::is_pending(Primitive primitive) {
  switch (primitive) {
    case Primitive::conv2d:
    case Primitive::conv2d_grad_input:
    case Primitive::conv2d_grad_weight:
    case Primitive::conv2d_codes: return true;
    default: return false;
  }
}

// Until cudnn/ is there.
struct Convolutions::State {};
Convolutions::Convolutions(Stream&, Memory&) {}
Convolutions::~Convolutions() = default;
void Convolutions::forward(const ConvGeometry&, ConstView, ConstView, View) {}
void Convolutions::grad_input(const ConvGeometry&, ConstView, ConstView, View) {}
void Convolutions::grad_weight(const ConvGeometry&, ConstView, ConstView, View) {}
std::string Convolutions::describe() const { return "no convolutions"; }

}  // namespace ntq::cuda
