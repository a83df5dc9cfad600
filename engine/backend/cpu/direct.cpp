// Filters are packed into panels, rows of output pixels are shared out among the threads.
#include "engine/backend/cpu/direct.h"

#include "engine/backend/cpu/panels.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kGroupsThatDecode = 2;  // of a filter gradient, each for itself; for more it is done once

/// A tap for each pixel of a filter.
Source whole_images(const ConvGeometry& g, const Images& x) {
  Source s{x, g.in_h, g.in_w, g.in_c, g.in_c, {}};
  for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
    for (int64_t kw = 0; kw < g.kernel_w; ++kw) s.taps.push_back({kh - g.pad, kw - g.pad});
  }
  return s;
}

/// Shares the rows, and the panels when rows are few, among the threads; seen(begin, end) holds what rows see.
template <class SeenBy>
void run_product(const Kernels& k, const GatherProduct& p, const SeenBy& seen) {
  const int64_t panels = ceil_div(p.y_c, k.panel), rows = p.rows();
  if (panels == 0 || rows == 0) return;
  const int64_t block = k.tile_rows * 16;
  const int64_t groups = std::min(panels, std::max<int64_t>(1, 16 / std::max<int64_t>(1, ceil_div(rows, block))));
  const int64_t per_group = ceil_div(panels, groups), row_tasks = ceil_div(rows, block);
  const int64_t products = std::min(block, rows) * per_group * k.panel * p.tap_count * p.x_c;
  parallel_for(row_tasks * groups, products / kProducts, [&](int64_t i) {
    const int64_t row = i / groups * block, panel = i % groups * per_group;
    if (panel >= panels) return;
    const int64_t end = std::min(rows, row + block);
    const auto source = seen(row, end);
    GatherProduct part = p;
    part.x = source.x();
    k.gather_product(part, row, end, panel, std::min(panels, panel + per_group));
  });
}

}  // namespace

void product(Backend& backend, const Kernels& k, const ConvGeometry& g, const Source& from, const float* w, float* y) {
  const int64_t taps = from.tap_count(), depth = from.depth;
  const Scratch packed(backend, round_up(g.out_c, k.panel) * taps * depth);
  pack(g.out_c, taps, depth, k.panel, packed.data(), [&](int64_t t, int64_t c, int64_t o, int64_t n, float* to) {
    for (int64_t i = 0; i < n; ++i) to[i] = w[((o + i) * taps + t) * depth + c];
  });
  const Zeros zeros(backend, depth);
  const GatherProduct p{.x_h = from.h,
                        .x_w = from.w,
                        .x_c = depth,
                        .x_pitch = from.pitch,
                        .y = y,
                        .y_h = g.out_h,
                        .y_w = g.out_w,
                        .y_c = g.out_c,
                        .batch = g.batch,
                        .grid_h = g.out_h,
                        .grid_w = g.out_w,
                        .x_step = g.stride,
                        .taps = from.taps.data(),
                        .tap_count = taps,
                        .packed = packed.data(),
                        .zeros = zeros.data()};
  run_product(k, p, [&](int64_t begin, int64_t end) { return Seen(backend, k, from, g, begin, end); });
}

void direct_conv(Backend& backend, const Kernels& k, const ConvPlan& plan, const Images& x, const float* w, float* y) {
  product(backend, k, plan.g, whole_images(plan.g, x), w, y);
}

void direct_grad_input(Backend& backend, const Kernels& k, const ConvPlan& plan, const float* dy, const float* w,
                       float* dx) {
  const ConvGeometry& g = plan.g;
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
      const GatherProduct p{.x_h = g.out_h,
                            .x_w = g.out_w,
                            .x_c = g.out_c,
                            .x_pitch = g.out_c,
                            .y = dx,
                            .y_h = g.in_h,
                            .y_w = g.in_w,
                            .y_c = g.in_c,
                            .batch = g.batch,
                            .grid_h = ceil_div(g.in_h - class_h, g.stride),
                            .grid_w = ceil_div(g.in_w - class_w, g.stride),
                            .y_h0 = class_h,
                            .y_w0 = class_w,
                            .y_step = g.stride,
                            .taps = taps.data(),
                            .tap_count = tap_count,
                            .packed = packed.data(),
                            .zeros = zeros.data()};
      run_product(k, p, [&](int64_t, int64_t) { return Seen(dy); });
    }
  }
}

void direct_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const float* dy, const Images& x,
                        float* dw) {
  const ConvGeometry& g = plan.g;
  Images images = x;
  std::optional<Scratch> decoded;
  if (!x.x && plan.channel_groups > kGroupsThatDecode) {
    const int64_t n = g.batch * g.in_h * g.in_w * g.in_c;
    decoded.emplace(backend, n);
    parallel_ranges(n, kGrain, 1, [&](int64_t b, int64_t e) { decode(k, x.codes, b, e - b, decoded->data() + b); });
    images = {decoded->data()};
  }
  const Source from = whole_images(g, images);
  const Zeros zeros(backend, g.in_c);
  const GatherOuter p{.x_h = g.in_h,
                      .x_w = g.in_w,
                      .x_c = g.in_c,
                      .x_pitch = g.in_c,
                      .dy = dy,
                      .dy_c = g.out_c,
                      .grid_h = g.out_h,
                      .grid_w = g.out_w,
                      .x_step = g.stride,
                      .taps = from.taps.data(),
                      .tap_count = from.tap_count(),
                      .zeros = zeros.data()};
  sum_parts(backend, k, plan, from.tap_count(), g.in_c, dw,
            [&](int64_t begin, int64_t end, int64_t co, int64_t co_end, float* acc) {
              const Scratch scratch(backend, k.outer_scratch(p));
              const int64_t together = images.x ? std::max<int64_t>(1, end - begin) : kTogether;
              for (int64_t row = begin; row < end; row += together) {
                const int64_t stop = std::min(end, row + together);
                const Seen seen(backend, k, from, g, row, stop);
                GatherOuter part = p;
                part.x = seen.x();
                k.gather_outer(part, row, stop, co, co_end, acc, scratch.data());
              }
            });
}

}  // namespace ntq::cpu
