// Filters are packed into panels, rows of output pixels are shared out among the threads.
#include "engine/backend/cpu/direct.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/ceil_div.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/patches.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kProducts = 16;      // that take the time of one float in a simple loop, at the least
constexpr int64_t kPatchPixels = 128;  // whose patches are made together: those that a filter gradient sums at a time

/// What a tap outside of the image reads.
struct Zeros : Scratch {
  Zeros(Backend& backend, int64_t channels) : Scratch(backend, channels) { std::fill(data(), data() + channels, 0.0f); }
};

/// What the rows of a product are gathered from: `depth` floats for each tap, `pitch` from a pixel to the next.
struct Source {
  const float* x;
  int64_t h, w, depth, pitch;
  std::vector<Tap> taps;
  int64_t tap_count() const { return static_cast<int64_t>(taps.size()); }
};

/// A tap for each pixel of a filter.
Source images(const ConvGeometry& g, const float* x) {
  Source s{x, g.in_h, g.in_w, g.in_c, g.in_c, {}};
  for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
    for (int64_t kw = 0; kw < g.kernel_w; ++kw) s.taps.push_back({kh - g.pad, kw - g.pad});
  }
  return s;
}

/// Images of few channels, with their padding left and right: what a line of a filter sees lies together, and is a tap.
class PaddedLines {
 public:
  PaddedLines(Backend& backend, const ConvGeometry& g, const float* x)
      : width_((g.in_w + 2 * g.pad) * g.in_c), lines_(backend, g.batch * g.in_h * width_) {
    const int64_t line = g.in_w * g.in_c, edge = g.pad * g.in_c;
    parallel_for(g.batch * g.in_h, width_, [&, to = lines_.data()](int64_t i) {
      float* const out = to + i * width_;
      std::fill(out, out + edge, 0.0f);
      std::copy(x + i * line, x + (i + 1) * line, out + edge);
      std::fill(out + edge + line, out + width_, 0.0f);
    });
  }
  const float* line(int64_t i) const { return lines_.data() + i * width_; }
  Source source(const ConvGeometry& g) const {
    Source s{lines_.data(), g.in_h, g.in_w + 2 * g.pad, g.kernel_w * g.in_c, g.in_c, {}};
    for (int64_t kh = 0; kh < g.kernel_h; ++kh) s.taps.push_back({kh - g.pad, 0});
    return s;
  }

 private:
  int64_t width_;
  Scratch lines_;
};

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

/// Filters {Cout, taps, depth}.
void product(Backend& backend, const Kernels& k, const ConvGeometry& g, const Source& from, const float* w, float* y) {
  const int64_t taps = from.tap_count(), depth = from.depth;
  const Scratch packed(backend, round_up(g.out_c, k.panel) * taps * depth);
  pack(g.out_c, taps, depth, k.panel, packed.data(), [&](int64_t t, int64_t c, int64_t o, int64_t n, float* to) {
    for (int64_t i = 0; i < n; ++i) to[i] = w[((o + i) * taps + t) * depth + c];
  });
  const Zeros zeros(backend, depth);
  run_product(k, {from.x,  from.h,   from.w,           depth,   from.pitch,    y,           g.out_h,
                  g.out_w, g.out_c,  g.batch,          g.out_h, g.out_w,       0,           0,
                  1,       g.stride, from.taps.data(), taps,    packed.data(), zeros.data()});
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
      run_product(k, {dy,
                      g.out_h,
                      g.out_w,
                      g.out_c,
                      g.out_c,
                      dx,
                      g.in_h,
                      g.in_w,
                      g.in_c,
                      g.batch,
                      ceil_div(g.in_h - class_h, g.stride),
                      ceil_div(g.in_w - class_w, g.stride),
                      class_h,
                      class_w,
                      g.stride,
                      1,
                      taps.data(),
                      tap_count,
                      packed.data(),
                      zeros.data()});
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

/// dw {Cout, taps, depth}; add(rows [begin, end), channels [co, co_end), sums {Cout, taps, padded depth}) adds theirs.
template <class Add>
void sum_parts(Backend& backend, const Kernels& k, const ConvPlan& plan, int64_t taps, int64_t depth, float* dw,
               const Add& add) {
  const ConvGeometry& g = plan.g;
  const int64_t rows = g.batch * g.out_h * g.out_w, padded = round_up(depth, k.panel);
  const int64_t filter = taps * padded, size = g.out_c * filter;
  const int64_t parts = plan.parts, groups = plan.channel_groups;
  const int64_t part_rows = round_up(ceil_div(rows, parts), kPatchPixels);
  const Scratch sums(backend, parts * size);
  parallel_for(parts * groups, std::min(part_rows, rows) * size / groups / kProducts, [&](int64_t i) {
    const int64_t part = i / groups, group = i % groups;
    const int64_t co = g.out_c * group / groups, co_end = g.out_c * (group + 1) / groups;
    float* acc = sums.data() + part * size;
    std::fill(acc + co * filter, acc + co_end * filter, 0.0f);
    const int64_t begin = std::min(rows, part * part_rows);
    add(begin, std::min(rows, begin + part_rows), co, co_end, acc);
  });
  parallel_for(g.out_c, parts * filter, [&](int64_t co) {
    float* total = sums.data() + co * filter;
    for (int64_t part = 1; part < parts; ++part) k.f32.axpy(1.0f, total + part * size, total, filter);
    for (int64_t t = 0; t < taps; ++t)
      std::memcpy(dw + (co * taps + t) * depth, total + t * padded, static_cast<size_t>(depth) * sizeof(float));
  });
}

void product_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const float* dy, const float* x,
                         float* dw) {
  const ConvGeometry& g = plan.g;
  const Source from = images(g, x);
  const Zeros zeros(backend, g.in_c);
  const GatherOuter p{x,       g.in_h,  g.in_w,   g.in_c,           g.in_c,           dy,          g.out_c,
                      g.out_h, g.out_w, g.stride, from.taps.data(), from.tap_count(), zeros.data()};
  sum_parts(backend, k, plan, from.tap_count(), g.in_c, dw,
            [&](int64_t begin, int64_t end, int64_t co, int64_t co_end, float* acc) {
              const Scratch scratch(backend, k.outer_scratch(p));
              k.gather_outer(p, begin, end, co, co_end, acc, scratch.data());
            });
}

/// n lines of a patch, `Width` floats each (0: `width`), from places `step` floats apart to places `pitch` apart.
template <int64_t Width>
void copy_lines(const float* from, int64_t step, int64_t n, int64_t width, float* to, int64_t pitch) {
  if (Width > 0) width = Width;  // a copy of few instructions
  for (int64_t i = 0; i < n; ++i, from += step, to += pitch)
    std::memcpy(to, from, static_cast<size_t>(width) * sizeof(float));
}

/// The patches of Kh*Kw*Cin floats that output pixels [begin, end) see, `pitch` apart.
void make_patches(const ConvGeometry& g, const PaddedLines& images, int64_t begin, int64_t end, float* to,
                  int64_t pitch) {
  const int64_t width = g.kernel_w * g.in_c;
  const auto copy = width == 9 ? copy_lines<9> : width == 21 ? copy_lines<21> : copy_lines<0>;
  for (int64_t row = begin; row < end;) {
    const int64_t j = row % g.out_w, line = row / g.out_w, n = std::min(g.out_w - j, end - row);
    const int64_t image = line / g.out_h, h0 = line % g.out_h * g.stride - g.pad;
    for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
      float* const out = to + kh * width;
      const int64_t h = h0 + kh;
      if (h >= 0 && h < g.in_h) {
        copy(images.line(image * g.in_h + h) + j * g.stride * g.in_c, g.stride * g.in_c, n, width, out, pitch);
      } else {
        for (int64_t i = 0; i < n; ++i) std::fill(out + i * pitch, out + i * pitch + width, 0.0f);
      }
    }
    to += n * pitch;
    row += n;
  }
}

/// The plan's product is that of the patches, which are made while they are summed; zeros behind them make whole
/// panels.
void patches_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g,
                         const float* dy, const float* x, float* dw) {
  const PaddedLines images(backend, g, x);
  const int64_t patch = g.kernel_h * g.kernel_w * g.in_c, padded = round_up(patch, k.panel);
  const Tap here{0, 0};
  sum_parts(backend, k, plan, 1, patch, dw, [&](int64_t begin, int64_t end, int64_t co, int64_t co_end, float* acc) {
    const Scratch patches(backend, kPatchPixels * padded);
    std::fill(patches.data(), patches.data() + kPatchPixels * padded, 0.0f);
    GatherOuter p{patches.data(), 1, 0, padded, padded, nullptr, g.out_c, 1, 0, 1, &here, 1, nullptr};
    const Scratch scratch(backend, k.outer_scratch(p));
    for (int64_t row = begin; row < end; row += kPatchPixels) {
      p.grid_w = p.x_w = std::min(kPatchPixels, end - row);
      p.dy = dy + row * g.out_c;
      make_patches(g, images, row, row + p.x_w, patches.data(), padded);
      k.gather_outer(p, 0, p.x_w, co, co_end, acc, scratch.data());
    }
  });
}

}  // namespace

void direct_conv(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g, const float* x,
                 const float* w, float* y) {
  if (plan.algorithm == ConvAlgorithm::product) return product(backend, k, plan.g, images(plan.g, x), w, y);
  const PaddedLines lines(backend, g, x);
  product(backend, k, g, lines.source(g), w, y);
}

void direct_grad_input(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g, const float* dy,
                       const float* w, float* dx) {
  if (plan.algorithm == ConvAlgorithm::product) return product_grad_input(backend, k, plan.g, dy, w, dx);
  patches_grad_input(backend, k, g, dy, w, dx);
}

void direct_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g,
                        const float* dy, const float* x, float* dw) {
  if (plan.algorithm == ConvAlgorithm::product) return product_grad_weight(backend, k, plan, dy, x, dw);
  patches_grad_weight(backend, k, plan, g, dy, x, dw);
}

}  // namespace ntq::cpu
