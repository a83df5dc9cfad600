// Quantization, by the portable kernels.
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
