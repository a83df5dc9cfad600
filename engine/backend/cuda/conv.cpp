#include <algorithm>

#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {
namespace {

/// x as float32: itself, or codes made such for the length of a call. False where there was no memory for it.
class Floats {
 public:
  Floats(Backend& backend, const ConvInput& x)
      : made_(backend, x.values.type == DType::f32 ? 0 : x.values.size), x_(x.values) {
    if (x_.type == DType::f32 || !made_) return;
    if (x.step) {
      backend.decode_codes(x_, x.step, made_.view());
    } else {
      backend.cast(x_, made_.view());
    }
    x_ = made_.view();
  }
  explicit operator bool() const { return x_.type == DType::f32; }
  ConstView view() const { return x_; }

 private:
  Scratch made_;
  ConstView x_;
};

/// Whether a convolution of these is too large, which leaves an error.
bool refused(Stream& stream, ConstView x, ConstView w, ConstView y) {
  if (std::max({x.size, w.size, y.size}) <= kMostElements) return false;
  stream.leave_error(BackendError::Code::unsupported, "a convolution of 2^31 elements or more; try a smaller batch");
  return true;
}

}  // namespace

void CudaBackend::conv2d(const ConvGeometry& g, ConvInput x, ConstView w, View y) {
  if (refused(*stream_, x.values, w, y)) return;
  const Floats images(*this, x);
  if (images) convolutions_.forward(g, images.view(), w, y);
}

void CudaBackend::conv2d_grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) {
  if (!refused(*stream_, dx, w, dy)) convolutions_.grad_input(g, dy, w, dx);
}

void CudaBackend::conv2d_grad_weight(const ConvGeometry& g, ConstView dy, ConvInput x, View dw) {
  if (refused(*stream_, x.values, dw, dy)) return;
  const Floats images(*this, x);
  if (images) convolutions_.grad_weight(g, dy, images.view(), dw);
}

}  // namespace ntq::cuda
