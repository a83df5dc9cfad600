// Elementwise work, reductions and quantization, by the portable kernels.
#include <algorithm>

#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cuda/cuda_backend.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cpu::portable {
const Kernels& kernels();
}

namespace ntq::cuda {
namespace {

const cpu::Kernels& portable() { return cpu::portable::kernels(); }

}  // namespace

void CudaBackend::unary(Unary op, ConstView x, View y) {
  stream_->state().later([=] { portable().unary(op, floats(x), floats(y), y.size); });
}

void CudaBackend::binary(Binary op, ConstView a, ConstView b, View y) {
  stream_->state().later([=] { portable().binary(op, floats(a), floats(b), floats(y), y.size); });
}

void CudaBackend::binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) {
  stream_->state().later([=] {
    const int64_t inner = args.split.inner;
    for (int64_t i = 0; i < args.split.outer * args.split.axis; ++i) {
      portable().binary_scalar(args.op, floats(a) + i * inner, floats(b)[i % args.split.axis], args.b_first,
                               floats(y) + i * inner, inner);
    }
  });
}

void CudaBackend::where(ConstView condition, ConstView a, ConstView b, View y) {
  stream_->state().later([=] { portable().where(floats(condition), floats(a), floats(b), floats(y), y.size); });
}

void CudaBackend::fold(Fold op, const AxisSplit& split, ConstView x, View y) {
  stream_->state().later(
      [=] { portable().fold(op, floats(x), split.axis, split.inner, 0, split.outer * split.inner, floats(y)); });
}

void CudaBackend::sum(ConstView x, double factor, View y) {
  stream_->state().later([=] {
    const double total = portable().sum(floats(x), x.size) * factor;
    if (y.type == DType::f64) *static_cast<double*>(y.data) = total;
    if (y.type == DType::f32) *floats(y) = static_cast<float>(total);
  });
}

void CudaBackend::quantize(const QuantizeArgs& args, ConstView x, ConstView step, View y) {
  stream_->state().later([=] {
    const int64_t run = y.size / step.size;
    for (int64_t i = 0; i < step.size; ++i)
      portable().f32.quantize(floats(x), {floats(step)[i], args.range}, args.noise, floats(y), i * run, (i + 1) * run);
  });
}

void CudaBackend::quantize_grad(const QuantizeArgs& args, ConstView x, ConstView step, ConstView dy, View dx,
                                View dstep) {
  stream_->state().later([=] {
    const int64_t run = dx.size / dstep.size;
    for (int64_t i = 0; i < dstep.size; ++i) {
      const int64_t at = i * run;
      const double total = portable().f32.quantize_grad(floats(x) + at, {floats(step)[i], args.range}, floats(dy) + at,
                                                        floats(dx) + at, run);
      floats(dstep)[i] = static_cast<float>(args.grad_scale * total);
    }
  });
}

}  // namespace ntq::cuda
