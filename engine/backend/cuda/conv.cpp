#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {
namespace {

/// x as float32: itself, or codes made such for the length of a call. False where there was no memory for it.
class Floats {
 public:
  Floats(Backend& backend, ConstView x) : made_(backend, x.type == DType::f32 ? 0 : x.size), x_(x) {
    if (x.type == DType::f32 || !made_) return;
    backend.cast(x, made_.view());
    x_ = made_.view();
  }
  explicit operator bool() const { return x_.type == DType::f32; }
  ConstView view() const { return x_; }

 private:
  Scratch made_;
  ConstView x_;
};

}  // namespace

void CudaBackend::conv2d(const ConvGeometry& g, ConstView x, ConstView w, View y) {
  const Floats images(*this, x);
  if (images) convolutions_.forward(g, images.view(), w, y);
}

void CudaBackend::conv2d_grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) {
  convolutions_.grad_input(g, dy, w, dx);
}

void CudaBackend::conv2d_grad_weight(const ConvGeometry& g, ConstView dy, ConstView x, View dw) {
  const Floats images(*this, x);
  if (images) convolutions_.grad_weight(g, dy, images.view(), dw);
}

}  // namespace ntq::cuda
