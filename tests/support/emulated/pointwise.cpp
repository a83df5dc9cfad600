// Elementwise work, by the portable kernels.
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

}  // namespace ntq::cuda
