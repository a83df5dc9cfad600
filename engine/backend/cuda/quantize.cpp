#include "engine/backend/cuda/kernels/quantize.h"

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/fold.h"
#include "engine/backend/cuda/with_access.h"

namespace ntq::cuda {
namespace {

StepOf::Steps steps_of(ConstView step, QuantRange range, int64_t size) {
  return {floats(step), step.size, step.size > 0 ? size / step.size : 0, range};
}

}  // namespace

void CudaBackend::quantize(const QuantizeArgs& args, ConstView x, ConstView step, View y) {
  const StepOf::Steps steps = steps_of(step, args.range, y.size);
  const Grid grid = grid_for(ceil_div(y.size, 4));
  with_access(aligned(x, y), [&](auto access) {
    if (args.noise.c == 0) {
      stream_->launch<QuantizeKernel<false, access>>(grid, {steps, args.noise, floats(x), floats(y), y.size});
    } else {
      stream_->launch<QuantizeKernel<true, access>>(grid, {steps, args.noise, floats(x), floats(y), y.size});
    }
  });
}

void CudaBackend::quantize_grad(const QuantizeArgs& args, ConstView x, ConstView step, ConstView dy, View dx,
                                View dstep) {
  const RunParts parts = run_parts(dx.size, dstep.size);
  const Scratch partial(*this, parts.blocks(), DType::f64);
  if (!partial) return;
  auto* const sums = static_cast<double*>(partial.view().data);
  with_access((dstep.size == 1 || parts.run % 4 == 0) && aligned(x, dy, dx), [&](auto access) {
    using Kernel = QuantizeGradKernel<access>;
    stream_->launch<Kernel>({parts.blocks(), kPartThreads, Kernel::kShared},
                            {parts, floats(step), args.range, floats(x), floats(dy), floats(dx), sums});
  });
  join_sums(*stream_, {sums, parts.parts, dstep.size}, double{args.grad_scale}, dstep);
}

void CudaBackend::quantize_codes(QuantRange range, ConstView x, ConstView step, View codes, View checked) {
  auto* const to = static_cast<uint8_t*>(codes.data);
  if (checked) stream_->launch<CopyStepsKernel>(grid_for(step.size), {floats(step), floats(checked), step.size});
  with_access(aligned(x, codes), [&](auto access) {
    stream_->launch<QuantizeCodesKernel<access>>(
        grid_for(ceil_div(codes.size, 4)),
        {steps_of(step, range, codes.size), floats(x), to, floats(checked), codes.size});
  });
}

void CudaBackend::decode_codes(ConstView codes, ConstView step, View y) {
  with_access(aligned(codes, y), [&](auto access) {
    stream_->launch<DecodeKernel<access>>(
        grid_for(ceil_div(y.size, 4)),
        {static_cast<const uint8_t*>(codes.data), codes.type == DType::i8, floats(step), floats(y), y.size});
  });
}

void CudaBackend::quantize_error(QuantRange range, ConstView x, ConstView steps, View errors) {
  RunParts parts = run_parts(x.size);
  parts.runs = errors.size;
  const Scratch partial(*this, parts.blocks(), DType::f64);
  if (!partial) return;
  auto* const sums = static_cast<double*>(partial.view().data);
  with_access(aligned(x), [&](auto access) {
    using Kernel = QuantizeErrorKernel<access>;
    stream_->launch<Kernel>({parts.blocks(), kPartThreads, Kernel::kShared},
                            {parts, floats(steps), errors.size, range, floats(x), sums});
  });
  join_sums(*stream_, {sums, parts.parts, errors.size}, 1.0, errors);
}

}  // namespace ntq::cuda
