// Convolutions on the CPU: each by the algorithm of its plan.
#include <optional>

#include "engine/backend/cpu/bf16/direct.h"
#include "engine/backend/cpu/bf16/filters.h"
#include "engine/backend/cpu/bf16/winograd.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/direct.h"
#include "engine/backend/cpu/few_channels.h"
#include "engine/backend/cpu/views.h"
#include "engine/backend/cpu/winograd.h"

namespace ntq::cpu {
namespace {

int64_t filter_size(const ConvGeometry& g) { return g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups); }
int64_t input_size(const ConvGeometry& g) { return g.batch * g.in_h * g.in_w * g.in_c; }
int64_t output_size(const ConvGeometry& g) { return g.batch * g.out_h * g.out_w * g.out_c; }

bool in_bf16(const ConvPlan& plan) {
  return plan.algorithm == ConvAlgorithm::bf16_product || plan.algorithm == ConvAlgorithm::bf16_unfolded ||
         plan.algorithm == ConvAlgorithm::bf16_winograd;
}

/// Filters as products of bfloat16 read them: as they came, or packed for the length of a call.
class PackedFilters {
 public:
  PackedFilters(Backend& backend, const bf16::Kernels& k, const ConvPlan& plan, ConvPass pass, ConstView w) {
    const int64_t size = bf16::packed_filters(k, plan, pass);
    if (w.type != DType::bf16) {
      room_.emplace(backend, size, DType::bf16);
      auto* const packed = static_cast<BFloat16*>(room_->view().data);
      bf16::pack_filters(k, plan, pass, values(w, filter_size(plan.g)), 1.0f, packed);
      w = room_->view();
    }
    packed_ = values<BFloat16>(w, size);
  }
  const BFloat16* packed() const { return packed_; }

 private:
  std::optional<Scratch> room_;
  const BFloat16* packed_;
};

void check_no_step(const ConvInput& x) {
  check(!x.step, "convolution: codes with a step are multiplied as float32 alone, not as BF16");
}

/// x as float32's convolutions read it: codes as they are.
Images images_of(const ConvInput& x, int64_t size) {
  if (x.values.type == DType::f32) return {values(x.values, size)};
  const float step = x.step ? *values(x.step, 1) : 1.0f;
  return {nullptr, {bytes(x.values, size), x.values.type == DType::i8, step}};
}

}  // namespace

int64_t CpuBackend::packed_filters(const ConvGeometry& g, ConvPass pass, DType type) const {
  if (type != DType::bf16 || pass == ConvPass::grad_weight) return 0;
  return bf16::packed_filters(k16_, plan_conv(g, pass, {type, DType::f32, type}, k_.width), pass);
}

void CpuBackend::pack_filters(const ConvGeometry& g, ConvPass pass, ConstView w, ConstView scale, View packed) {
  const ConvPlan plan = plan_conv(g, pass, {packed.type, DType::f32, packed.type}, k_.width);
  bf16::pack_filters(k16_, plan, pass, values(w, filter_size(g)), scale ? *values(scale, 1) : 1.0f,
                     values<BFloat16>(packed, bf16::packed_filters(k16_, plan, pass)));
}

void CpuBackend::conv2d(const ConvGeometry& g, ConvInput x, ConstView filters, View output) {
  const ConstView input = x.values;
  const ConvPlan plan = plan_conv(g, ConvPass::forward, {input.type, DType::f32, output.type}, k_.width);
  check_size(input, input_size(g)), check_size(output, output_size(g));
  if (in_bf16(plan)) {
    check_no_step(x);
    const PackedFilters w(*this, k16_, plan, ConvPass::forward, filters);
    if (plan.algorithm != ConvAlgorithm::bf16_winograd) return bf16::conv(*this, k16_, plan, input, w.packed(), output);
    return bf16::winograd_conv(*this, k16_, g, ConvPass::forward, input, w.packed(), output);
  }
  const float* const w = values(filters, filter_size(g));
  float* const y = values(output, output_size(g));
  const Images images = images_of(x, input_size(g));
  if (plan.algorithm == ConvAlgorithm::winograd)
    return winograd_conv(*this, k_, plan, Filters::as_they_are, images, w, y);
  if (plan.algorithm == ConvAlgorithm::few_channels) return few_channels_conv(*this, k_, g, images, w, y);
  direct_conv(*this, k_, plan, images, w, y);
}

void CpuBackend::conv2d_grad_input(const ConvGeometry& g, ConstView d_output, ConstView filters, View d_input) {
  const ConvPlan plan = plan_conv(g, ConvPass::grad_input, {d_input.type, DType::f32, d_output.type}, k_.width);
  check_size(d_output, output_size(g)), check_size(d_input, input_size(g));
  if (in_bf16(plan)) {
    const PackedFilters w(*this, k16_, plan, ConvPass::grad_input, filters);
    if (plan.algorithm != ConvAlgorithm::bf16_winograd)
      return bf16::conv_grad_input(*this, k16_, plan, d_output, w.packed(), d_input);
    return bf16::winograd_conv(*this, k16_, g, ConvPass::grad_input, d_output, w.packed(), d_input);
  }
  const float* const w = values(filters, filter_size(g));
  const float* const dy = values(d_output, output_size(g));
  float* const dx = values(d_input, input_size(g));
  if (plan.algorithm == ConvAlgorithm::winograd) return winograd_conv(*this, k_, plan, Filters::turned, {dy}, w, dx);
  if (plan.algorithm == ConvAlgorithm::few_channels) return few_channels_grad_input(*this, k_, g, dy, w, dx);
  direct_grad_input(*this, k_, plan, dy, w, dx);
}

void CpuBackend::conv2d_grad_weight(const ConvGeometry& g, ConstView d_output, ConvInput x, View d_filters) {
  const ConstView input = x.values;
  const ConvPlan plan = plan_conv(g, ConvPass::grad_weight, {input.type, d_filters.type, d_output.type}, k_.width);
  float* const dw = values(d_filters, filter_size(g));
  check_size(d_output, output_size(g)), check_size(input, input_size(g));
  if (in_bf16(plan)) {
    check_no_step(x);
    if (plan.algorithm == ConvAlgorithm::bf16_winograd)
      return bf16::winograd_grad_weight(*this, k16_, g, d_output, input, d_filters);
    return bf16::conv_grad_weight(*this, k16_, plan, d_output, input, dw);
  }
  const float* const dy = values(d_output, output_size(g));
  const Images images = images_of(x, input_size(g));
  if (plan.algorithm == ConvAlgorithm::winograd) return winograd_grad_weight(*this, k_, plan, dy, images, dw);
  if (plan.algorithm == ConvAlgorithm::few_channels)
    return few_channels_grad_weight(*this, k_, plan, g, dy, images, dw);
  direct_grad_weight(*this, k_, plan, dy, images, dw);
}

}  // namespace ntq::cpu
