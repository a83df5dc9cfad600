// Convolutions on the CPU: filters are packed into panels, rows of output pixels are shared out among the threads.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/views.h"
#include "engine/backend/cpu/winograd.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kProducts = 16;  // that take the time of one float in a simple loop, at the least

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t filter_size(const ConvGeometry& g) { return g.out_c * g.kernel_h * g.kernel_w * g.in_c; }
enum class Side { input, output };
const float* images(ConstView view, const ConvGeometry& g, Side side) {
  return values(view, g.batch * (side == Side::input ? g.in_h * g.in_w * g.in_c : g.out_h * g.out_w * g.out_c));
}

/// Few input channels (an image): one row of all taps per pixel, so that the inner loop is long enough.
bool wants_unfolding(const ConvGeometry& g) { return g.in_c < 8 && g.kernel_h * g.kernel_w > 1; }

/// A 1x1 convolution without stride is a plain matrix product: one line of pixels, longer runs.
ConvGeometry flattened(ConvGeometry g) {
  if (g.kernel_h == 1 && g.kernel_w == 1 && g.stride == 1 && g.pad == 0) {
    g.in_w = g.out_w = g.batch * g.out_h * g.out_w;
    g.batch = g.in_h = g.out_h = 1;
  }
  return g;
}

ConvGeometry unfolded_geometry(const ConvGeometry& g) {
  ConvGeometry flat;
  flat.in_w = flat.out_w = g.batch * g.out_h * g.out_w;
  flat.in_c = g.kernel_h * g.kernel_w * g.in_c;
  flat.out_c = g.out_c;
  return flat;
}

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

}  // namespace

void CpuBackend::conv2d(const ConvGeometry& geometry, ConstView input, ConstView filters, View output) {
  const float *const x = images(input, geometry, Side::input), *const w = values(filters, filter_size(geometry));
  float* const y = const_cast<float*>(images(output, geometry, Side::output));
  if (wants_winograd(k_, geometry)) return winograd_conv(*this, k_, geometry, false, x, w, y);
  if (wants_unfolding(geometry)) {
    const ConvGeometry flat = unfolded_geometry(geometry);
    Scratch patches(*this, flat.in_w * flat.in_c);
    unfold(geometry, x, patches.data());
    conv2d(flat, patches.view(), filters, output);
    return;
  }
  const ConvGeometry g = flattened(geometry);
  const std::vector<Tap> taps = forward_taps(g);
  const int64_t tap_count = static_cast<int64_t>(taps.size());
  Scratch packed(*this, ceil_div(g.out_c, k_.panel) * k_.panel * tap_count * g.in_c);
  pack(g.out_c, tap_count, g.in_c, k_.panel, packed.data(), [&](int64_t t, int64_t c, int64_t o, int64_t n, float* to) {
    for (int64_t i = 0; i < n; ++i) to[i] = w[((o + i) * tap_count + t) * g.in_c + c];
  });
  Scratch zeros(*this, g.in_c);
  std::fill(zeros.data(), zeros.data() + g.in_c, 0.0f);
  run_product(k_, {x, g.in_h, g.in_w, g.in_c, y, g.out_h, g.out_w, g.out_c, g.batch, g.out_h, g.out_w, 0, 0, 1,
                   g.stride, taps.data(), tap_count, packed.data(), zeros.data()});
}

void CpuBackend::conv2d_grad_input(const ConvGeometry& geometry, ConstView d_output, ConstView filters, View d_input) {
  const float *const dy = images(d_output, geometry, Side::output), *const w = values(filters, filter_size(geometry));
  float* const dx = const_cast<float*>(images(d_input, geometry, Side::input));
  if (wants_winograd(k_, geometry)) return winograd_conv(*this, k_, geometry, true, dy, w, dx);
  const ConvGeometry g = flattened(geometry);
  Scratch zeros(*this, g.out_c);
  std::fill(zeros.data(), zeros.data() + g.out_c, 0.0f);
  Scratch packed(*this, ceil_div(g.in_c, k_.panel) * k_.panel * g.kernel_h * g.kernel_w * g.out_c);
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
      pack(g.in_c, tap_count, g.out_c, k_.panel, packed.data(),
           [&](int64_t t, int64_t c, int64_t o, int64_t n, float* to) {
             const int64_t filter = c * g.kernel_h * g.kernel_w + filter_taps[static_cast<size_t>(t)];
             std::memcpy(to, w + filter * g.in_c + o, static_cast<size_t>(n) * sizeof(float));
           });
      run_product(k_, {dy, g.out_h, g.out_w, g.out_c, dx, g.in_h, g.in_w, g.in_c, g.batch,
                       ceil_div(g.in_h - class_h, g.stride), ceil_div(g.in_w - class_w, g.stride), class_h, class_w,
                       g.stride, 1, taps.data(), tap_count, packed.data(), zeros.data()});
    }
  }
}

void CpuBackend::conv2d_grad_weight(const ConvGeometry& geometry, ConstView d_output, ConstView input, View d_filters) {
  const float *const dy = images(d_output, geometry, Side::output), *const x = images(input, geometry, Side::input);
  float* const dw = values(d_filters, filter_size(geometry));
  if (wants_winograd(k_, geometry)) return winograd_grad_weight(*this, k_, geometry, dy, x, dw);
  if (wants_unfolding(geometry)) {
    const ConvGeometry flat = unfolded_geometry(geometry);
    Scratch patches(*this, flat.in_w * flat.in_c);
    unfold(geometry, x, patches.data());
    conv2d_grad_weight(flat, d_output, patches.view(), d_filters);
    return;
  }
  const ConvGeometry g = flattened(geometry);
  const std::vector<Tap> taps = forward_taps(g);
  const int64_t tap_count = static_cast<int64_t>(taps.size());
  const int64_t rows = g.batch * g.out_h * g.out_w, padded_c = ceil_div(g.in_c, k_.panel) * k_.panel;
  const int64_t filter = tap_count * padded_c, size = g.out_c * filter;
  Scratch zeros(*this, g.in_c);
  std::fill(zeros.data(), zeros.data() + g.in_c, 0.0f);
  const GatherOuter p{x,       g.in_h,  g.in_w,   g.in_c,      dy,        g.out_c,
                      g.out_h, g.out_w, g.stride, taps.data(), tap_count, zeros.data()};

  // Pixels are split into parts with sums of their own, by the sizes alone, so the result is the same for any number
  // of threads; where the filters are large, output channels are shared out instead.
  const int64_t parts =
      std::clamp<int64_t>((int64_t{4} << 20) / std::max<int64_t>(size, 1), 1, std::clamp<int64_t>(rows / 512, 1, 32));
  const int64_t groups = std::clamp<int64_t>(32 / parts, 1, std::max<int64_t>(1, g.out_c / 32));
  const int64_t part_rows = ceil_div(ceil_div(rows, parts), 128) * 128;
  Scratch sums(*this, parts * size);
  parallel_for(parts * groups, std::min(part_rows, rows) * size / groups / kProducts, [&](int64_t i) {
    const int64_t part = i / groups, group = i % groups;
    const int64_t co = g.out_c * group / groups, co_end = g.out_c * (group + 1) / groups;
    float* acc = sums.data() + part * size;
    std::fill(acc + co * filter, acc + co_end * filter, 0.0f);
    Scratch scratch(*this, k_.outer_scratch(p));
    const int64_t begin = std::min(rows, part * part_rows);
    k_.gather_outer(p, begin, std::min(rows, begin + part_rows), co, co_end, acc, scratch.data());
  });
  parallel_for(g.out_c, parts * filter, [&](int64_t co) {
    float* total = sums.data() + co * filter;
    for (int64_t part = 1; part < parts; ++part) k_.axpy(1.0f, total + part * size, total, filter);
    for (int64_t t = 0; t < tap_count; ++t) {
      std::memcpy(dw + (co * tap_count + t) * g.in_c, total + t * padded_c,
                  static_cast<size_t>(g.in_c) * sizeof(float));
    }
  });
}

}  // namespace ntq::cpu
