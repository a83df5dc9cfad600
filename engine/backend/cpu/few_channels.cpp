#include "engine/backend/cpu/few_channels.h"

#include "engine/backend/cpu/direct.h"
#include "engine/backend/cpu/panels.h"
#include "engine/backend/cpu/patches.h"

namespace ntq::cpu {
namespace {

/// Images of few channels, with their padding left and right: what a line of a filter sees lies together, and is a tap.
class PaddedLines {
 public:
  PaddedLines(Backend& backend, const Kernels& k, const ConvGeometry& g, const Images& from)
      : width_((g.in_w + 2 * g.pad) * g.in_c), lines_(backend, g.batch * g.in_h * width_) {
    const int64_t line = g.in_w * g.in_c, edge = g.pad * g.in_c;
    parallel_for(g.batch * g.in_h, width_, [&, to = lines_.data()](int64_t i) {
      float* const out = to + i * width_;
      std::fill(out, out + edge, 0.0f);
      if (from.x) {
        std::copy(from.x + i * line, from.x + (i + 1) * line, out + edge);
      } else {
        decode(k, from.codes, i * line, line, out + edge);
      }
      std::fill(out + edge + line, out + width_, 0.0f);
    });
  }
  const float* line(int64_t i) const { return lines_.data() + i * width_; }
  Source source(const ConvGeometry& g) const {
    Source s{{lines_.data()}, g.in_h, g.in_w + 2 * g.pad, g.kernel_w * g.in_c, g.in_c, {}};
    for (int64_t kh = 0; kh < g.kernel_h; ++kh) s.taps.push_back({kh - g.pad, 0});
    return s;
  }

 private:
  int64_t width_;
  Scratch lines_;
};

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

}  // namespace

void few_channels_conv(Backend& backend, const Kernels& k, const ConvGeometry& g, const Images& x, const float* w,
                       float* y) {
  const PaddedLines lines(backend, k, g, x);
  product(backend, k, g, lines.source(g), w, y);
}

void few_channels_grad_input(Backend& backend, const Kernels& k, const ConvGeometry& g, const float* dy, const float* w,
                             float* dx) {
  const int64_t patch = g.kernel_h * g.kernel_w * g.in_c, panels = ceil_div(patch, k.panel);
  const Zeros zeros(backend, g.out_c);
  const Scratch packed(backend, panels * k.panel * g.out_c);
  pack(patch, 1, g.out_c, k.panel, packed.data(), [&](int64_t, int64_t c, int64_t o, int64_t n, float* to) {
    std::memcpy(to, w + c * patch + o, static_cast<size_t>(n) * sizeof(float));
  });
  const Tap here{0, 0};
  const auto of_line = [&](int64_t line, float* patches) {
    const GatherProduct p{.x = dy + line * g.out_w * g.out_c,
                          .x_w = g.out_w,
                          .x_c = g.out_c,
                          .x_pitch = g.out_c,
                          .y = patches,
                          .y_w = g.out_w,
                          .y_c = patch,
                          .grid_w = g.out_w,
                          .taps = &here,
                          .tap_count = 1,
                          .packed = packed.data(),
                          .zeros = zeros.data()};
    k.gather_product(p, 0, g.out_w, 0, panels);
  };
  add_up_patches(backend, g, of_line,
                 [&](int64_t at, const float* sums, int64_t n) { std::copy(sums, sums + n, dx + at); });
}

// Patches are made while they are summed; zeros behind them make whole panels.
void few_channels_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g,
                              const float* dy, const Images& x, float* dw) {
  const PaddedLines images(backend, k, g, x);
  const int64_t patch = g.kernel_h * g.kernel_w * g.in_c, padded = round_up(patch, k.panel);
  const Tap here{0, 0};
  sum_parts(backend, k, plan, 1, patch, dw, [&](int64_t begin, int64_t end, int64_t co, int64_t co_end, float* acc) {
    const Scratch patches(backend, kTogether * padded);
    std::fill(patches.data(), patches.data() + kTogether * padded, 0.0f);
    GatherOuter p{
        .x = patches.data(), .x_c = padded, .x_pitch = padded, .dy_c = g.out_c, .taps = &here, .tap_count = 1};
    const Scratch scratch(backend, k.outer_scratch(p));
    for (int64_t row = begin; row < end; row += kTogether) {
      p.grid_w = p.x_w = std::min(kTogether, end - row);
      p.dy = dy + row * g.out_c;
      make_patches(g, images, row, row + p.x_w, patches.data(), padded);
      k.gather_outer(p, 0, p.x_w, co, co_end, acc, scratch.data());
    }
  });
}

}  // namespace ntq::cpu
