// Convolutions on the CPU: filters are packed into panels, rows of output pixels are shared out among the threads.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "base/ceil_div.h"
#include "engine/backend/cpu/bf16/direct.h"
#include "engine/backend/cpu/bf16/filters.h"
#include "engine/backend/cpu/bf16/winograd.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/in_float32.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/patches.h"
#include "engine/backend/cpu/views.h"
#include "engine/backend/cpu/winograd.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kProducts = 16;  // that take the time of one float in a simple loop, at the least

int64_t filter_size(const ConvGeometry& g) { return g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups); }
int64_t input_size(const ConvGeometry& g) { return g.batch * g.in_h * g.in_w * g.in_c; }
int64_t output_size(const ConvGeometry& g) { return g.batch * g.out_h * g.out_w * g.out_c; }

/// What a tap outside of the image reads.
struct Zeros : Scratch {
  Zeros(Backend& backend, int64_t channels) : Scratch(backend, channels) { std::fill(data(), data() + channels, 0.0f); }
};

/// to {rows, Kh*Kw*Cin}: the patch that each output pixel sees.
void unfold(const ConvGeometry& g, const float* x, float* to) {
  const int64_t line_width = g.kernel_w * g.in_c, width = g.kernel_h * line_width;
  parallel_for(g.batch * g.out_h, [=](int64_t line) {
    const float* image = x + line / g.out_h * g.in_h * g.in_w * g.in_c;
    const int64_t h0 = line % g.out_h * g.stride - g.pad;
    for (int64_t j = 0; j < g.out_w; ++j) {
      float* out = to + (line * g.out_w + j) * width;
      // A row of the patch is contiguous in the image: the part inside is one copy, the rest is zeros.
      const int64_t w0 = j * g.stride - g.pad;
      const int64_t left = std::clamp<int64_t>(-w0, 0, g.kernel_w);
      const int64_t right = std::clamp<int64_t>(g.in_w - w0, left, g.kernel_w);
      for (int64_t kh = 0; kh < g.kernel_h; ++kh, out += line_width) {
        const int64_t h = h0 + kh;
        const bool inside = h >= 0 && h < g.in_h;
        const int64_t first = inside ? left * g.in_c : line_width, last = inside ? right * g.in_c : line_width;
        const float* from = image + (h * g.in_w + w0) * g.in_c;
        for (int64_t c = 0; c < first; ++c) out[c] = 0.0f;
        for (int64_t c = first; c < last; ++c) out[c] = from[c];
        for (int64_t c = last; c < line_width; ++c) out[c] = 0.0f;
      }
    }
  });
}

std::vector<Tap> forward_taps(const ConvGeometry& g) {
  std::vector<Tap> taps;
  for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
    for (int64_t kw = 0; kw < g.kernel_w; ++kw) taps.push_back({kh - g.pad, kw - g.pad});
  }
  return taps;
}

/// packed {panels of out, taps, in, panel} with weight(tap, in channel, first out channel, n, to) filling n values.
template <class Weight>
void pack(int64_t out, int64_t taps, int64_t in, int64_t panel, float* packed, const Weight& weight) {
  parallel_for(ceil_div(out, panel) * taps, 4 * in * panel, [&](int64_t i) {
    const int64_t o = i / taps * panel, n = std::min(panel, out - o);
    float* to = packed + i * in * panel;
    for (int64_t c = 0; c < in; ++c, to += panel) {
      weight(i % taps, c, o, n, to);
      std::fill(to + n, to + panel, 0.0f);
    }
  });
}

/// Shares the rows, and the panels when rows are few, among the threads.
void run_product(const Kernels& k, const GatherProduct& p) {
  const int64_t panels = ceil_div(p.y_c, k.panel), rows = p.rows();
  if (panels == 0 || rows == 0) return;
  const int64_t block = k.tile_rows * 16;
  const int64_t groups = std::min(panels, std::max<int64_t>(1, 16 / std::max<int64_t>(1, ceil_div(rows, block))));
  const int64_t per_group = ceil_div(panels, groups), row_tasks = ceil_div(rows, block);
  const int64_t products = std::min(block, rows) * per_group * k.panel * p.tap_count * p.x_c;
  parallel_for(row_tasks * groups, products / kProducts, [&](int64_t i) {
    const int64_t row = i / groups * block, panel = i % groups * per_group;
    if (panel < panels)
      k.gather_product(p, row, std::min(rows, row + block), panel, std::min(panels, panel + per_group));
  });
}

/// y or dw by `run(input)` of the plan's product, on patches of x where it wants them.
template <class Run>
void with_rows(Backend& backend, const ConvPlan& plan, const ConvGeometry& g, const float* x, const Run& run) {
  if (plan.algorithm != ConvAlgorithm::unfolded) return run(x);
  const Scratch patches(backend, plan.g.in_w * plan.g.in_c);
  unfold(g, x, patches.data());
  run(patches.data());
}

void product(Backend& backend, const Kernels& k, const ConvGeometry& g, const float* x, const float* w, float* y) {
  const std::vector<Tap> taps = forward_taps(g);
  const int64_t tap_count = static_cast<int64_t>(taps.size());
  const Scratch packed(backend, round_up(g.out_c, k.panel) * tap_count * g.in_c);
  pack(g.out_c, tap_count, g.in_c, k.panel, packed.data(), [&](int64_t t, int64_t c, int64_t o, int64_t n, float* to) {
    for (int64_t i = 0; i < n; ++i) to[i] = w[((o + i) * tap_count + t) * g.in_c + c];
  });
  const Zeros zeros(backend, g.in_c);
  run_product(k, {x, g.in_h, g.in_w, g.in_c, y, g.out_h, g.out_w, g.out_c, g.batch, g.out_h, g.out_w, 0, 0, 1, g.stride,
                  taps.data(), tap_count, packed.data(), zeros.data()});
}

void product_grad_input(Backend& backend, const Kernels& k, const ConvGeometry& g, const float* dy, const float* w,
                        float* dx) {
  const Zeros zeros(backend, g.out_c);
  const Scratch packed(backend, round_up(g.in_c, k.panel) * g.kernel_h * g.kernel_w * g.out_c);
  // Input pixels fall into stride x stride classes; those of a class see the same taps, one output pixel per tap.
  for (int64_t class_h = 0; class_h < std::min(g.stride, g.in_h); ++class_h) {
    for (int64_t class_w = 0; class_w < std::min(g.stride, g.in_w); ++class_w) {
      std::vector<Tap> taps;
      std::vector<int64_t> filter_taps;
      for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
        for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
          const int64_t h = class_h + g.pad - kh, v = class_w + g.pad - kw;
          if (h % g.stride || v % g.stride) continue;
          taps.push_back({h / g.stride, v / g.stride});
          filter_taps.push_back(kh * g.kernel_w + kw);
        }
      }
      const int64_t tap_count = static_cast<int64_t>(taps.size());
      pack(g.in_c, tap_count, g.out_c, k.panel, packed.data(),
           [&](int64_t t, int64_t c, int64_t o, int64_t n, float* to) {
             const int64_t filter = c * g.kernel_h * g.kernel_w + filter_taps[static_cast<size_t>(t)];
             std::memcpy(to, w + filter * g.in_c + o, static_cast<size_t>(n) * sizeof(float));
           });
      run_product(k, {dy, g.out_h, g.out_w, g.out_c, dx, g.in_h, g.in_w, g.in_c, g.batch,
                      ceil_div(g.in_h - class_h, g.stride), ceil_div(g.in_w - class_w, g.stride), class_h, class_w,
                      g.stride, 1, taps.data(), tap_count, packed.data(), zeros.data()});
    }
  }
}

/// The same of few channels.
void patches_grad_input(Backend& backend, const Kernels& k, const ConvGeometry& g, const float* dy, const float* w,
                        float* dx) {
  const int64_t patch = g.kernel_h * g.kernel_w * g.in_c, panels = ceil_div(patch, k.panel);
  const Zeros zeros(backend, g.out_c);
  const Scratch packed(backend, panels * k.panel * g.out_c);
  pack(patch, 1, g.out_c, k.panel, packed.data(), [&](int64_t, int64_t c, int64_t o, int64_t n, float* to) {
    std::memcpy(to, w + c * patch + o, static_cast<size_t>(n) * sizeof(float));
  });
  const Tap here{0, 0};
  const auto of_line = [&](int64_t line, float* patches) {
    const GatherProduct p{dy + line * g.out_w * g.out_c,
                          1,
                          g.out_w,
                          g.out_c,
                          patches,
                          1,
                          g.out_w,
                          patch,
                          1,
                          1,
                          g.out_w,
                          0,
                          0,
                          1,
                          1,
                          &here,
                          1,
                          packed.data(),
                          zeros.data()};
    k.gather_product(p, 0, g.out_w, 0, panels);
  };
  add_up_patches(backend, g, of_line,
                 [&](int64_t at, const float* sums, int64_t n) { std::copy(sums, sums + n, dx + at); });
}

void product_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const float* dy, const float* x,
                         float* dw) {
  const ConvGeometry& g = plan.g;
  const std::vector<Tap> taps = forward_taps(g);
  const int64_t tap_count = static_cast<int64_t>(taps.size());
  const int64_t rows = g.batch * g.out_h * g.out_w, padded_c = round_up(g.in_c, k.panel);
  const int64_t filter = tap_count * padded_c, size = g.out_c * filter;
  const Zeros zeros(backend, g.in_c);
  const GatherOuter p{x,       g.in_h,  g.in_w,   g.in_c,      dy,        g.out_c,
                      g.out_h, g.out_w, g.stride, taps.data(), tap_count, zeros.data()};

  const int64_t parts = plan.parts, groups = plan.channel_groups;
  const int64_t part_rows = round_up(ceil_div(rows, parts), 128);
  const Scratch sums(backend, parts * size);
  parallel_for(parts * groups, std::min(part_rows, rows) * size / groups / kProducts, [&](int64_t i) {
    const int64_t part = i / groups, group = i % groups;
    const int64_t co = g.out_c * group / groups, co_end = g.out_c * (group + 1) / groups;
    float* acc = sums.data() + part * size;
    std::fill(acc + co * filter, acc + co_end * filter, 0.0f);
    const Scratch scratch(backend, k.outer_scratch(p));
    const int64_t begin = std::min(rows, part * part_rows);
    k.gather_outer(p, begin, std::min(rows, begin + part_rows), co, co_end, acc, scratch.data());
  });
  parallel_for(g.out_c, parts * filter, [&](int64_t co) {
    float* total = sums.data() + co * filter;
    for (int64_t part = 1; part < parts; ++part) k.f32.axpy(1.0f, total + part * size, total, filter);
    for (int64_t t = 0; t < tap_count; ++t) {
      std::memcpy(dw + (co * tap_count + t) * g.in_c, total + t * padded_c,
                  static_cast<size_t>(g.in_c) * sizeof(float));
    }
  });
}

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

/// x as Winograd reads it: codes as they are.
WinogradInput winograd_input(const ConvInput& x, int64_t size) {
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
  if (plan.algorithm == ConvAlgorithm::winograd)
    return winograd_conv(*this, k_, plan, Filters::as_they_are, winograd_input(x, input_size(g)), w, y);
  InFloat32 wide(*this);
  with_rows(*this, plan, g, wide.in(input, input_size(g), x.step), [&](const float* rows) { product(*this, k_, plan.g, rows, w, y); });
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
  if (plan.algorithm == ConvAlgorithm::unfolded) return patches_grad_input(*this, k_, g, dy, w, dx);
  product_grad_input(*this, k_, plan.g, dy, w, dx);
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
  if (plan.algorithm == ConvAlgorithm::winograd)
    return winograd_grad_weight(*this, k_, plan, dy, winograd_input(x, input_size(g)), dw);
  InFloat32 wide(*this);
  with_rows(*this, plan, g, wide.in(input, input_size(g), x.step), [&](const float* rows) { product_grad_weight(*this, k_, plan, dy, rows, dw); });
}

}  // namespace ntq::cpu
