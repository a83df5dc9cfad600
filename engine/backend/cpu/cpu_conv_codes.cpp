// Convolutions of codes by the integer kernels of base/: filters are packed at every call, as every step of training
// has others, output pixels are shared out among the threads. Sums are exact, so how is nobody's concern.
#include <algorithm>

#include "base/ceil_div.h"
#include "base/integer/pack.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kTasksOfCodes = 16;     // enough for the threads
constexpr int64_t kProductsOfCodes = 64;  // that take the time of one float in a simple loop, at the least
constexpr int64_t kPackedBytes = 8;       // the same of weights

template <class T>
T* data_of(const Scratch& scratch) {
  return static_cast<T*>(scratch.view().data);
}

}  // namespace

// y = fl(sum * fl(x_step * w_step)), and its rounding to bfloat16.
void CpuBackend::conv2d_codes(const ConvGeometry& g, const CodeConv& codes, View y) {
  const std::optional<ConvAlgorithm> algorithm = plan_codes(g, codes);
  if (!algorithm) return Backend::conv2d_codes(g, codes, y);
  const bool winograd = *algorithm == ConvAlgorithm::code_winograd;
  const integer::ConvShape shape = shape_of(g);
  const integer::CodeBounds bounds{.x_top = codes.x_top, .w_top = codes.w_top};
  const int64_t size = g.kernel_h * g.kernel_w * g.in_c, outputs = g.batch * g.out_h * g.out_w * g.out_c;
  const auto* const x = values<uint8_t>(codes.x, g.batch * g.in_h * g.in_w * g.in_c);
  const auto* const w = values<int8_t>(codes.w, g.out_c * size);

  const int64_t panels = ceil_div(g.out_c, integer::kPanel), width = panels * integer::kPanel;
  const size_t bytes = winograd ? integer::winograd_bytes(shape) : integer::direct_bytes(shape);
  const Scratch packed(*this, static_cast<int64_t>(bytes), DType::u8), start(*this, 4 * width, DType::i32);
  parallel_for(panels, integer::kPanel * size / kPackedBytes, [&](int64_t panel) {
    auto* const to = data_of<uint8_t>(packed);
    if (winograd) return integer::pack_winograd_panel(shape, bounds, w, panel, to, data_of<int32_t>(start));
    integer::pack_direct_panel(shape, w, panel, to);
  });

  const Scratch scale(*this, width), shift(*this, width);
  const float x_step = *values(codes.x_step, 1);
  const float* const w_steps = values(codes.w_step, codes.w_step.size);
  std::fill(shift.data(), shift.data() + width, 0.0f);
  std::fill(scale.data(), scale.data() + width, 0.0f);
  for (int64_t c = 0; c < g.out_c; ++c) scale.data()[c] = x_step * w_steps[codes.w_step.size == 1 ? 0 : c];

  integer::Conv conv{.shape = shape,
                     .x = x,
                     .weights = data_of<const int8_t>(packed),
                     .start = winograd ? data_of<const int32_t>(start) : nullptr,
                     .x_top = codes.x_top,
                     .w_top = codes.w_top,
                     .epilogue = {.scale = scale.data(), .shift = shift.data()}};
  if (y.type == DType::bf16) {
    conv.epilogue.halves = &values<BFloat16>(y, outputs)->bits;
  } else {
    conv.epilogue.y = values(y, outputs);
  }
  parallel_for(kTasksOfCodes, g.macs() / kTasksOfCodes / kProductsOfCodes, [&](int64_t task) {
    const integer::Part part = integer::share_of(integer::whole_work(shape, g.batch), task, kTasksOfCodes);
    if (part.empty()) return;
    if (!winograd) return k8_.conv(conv, part);
    const Scratch scratch(*this, static_cast<int64_t>(integer::winograd_scratch(shape)), DType::u8);
    k8_.winograd(conv, part, data_of<uint8_t>(scratch));
  });
}

}  // namespace ntq::cpu
