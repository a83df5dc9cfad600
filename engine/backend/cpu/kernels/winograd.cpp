// Winograd's F(4x4, 3x3) (Lavin & Gray, arXiv 1509.09308): a 3x3 convolution of a 6x6 patch gives 4x4 outputs by 36
// products per channel pair where the definition needs 144. Y = A^T [(G g G^T) . (B^T d B)] A; its gradient for the
// filter is G^T [sum (B^T d B) . (A dY A^T)] G. Rounding error is some ten times that of the direct sum.
#include "engine/backend/cpu/kernels/bytes.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/tile.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

// One-dimensional transforms: `at(i)` gives value i, `put(i, value)` takes result i, wherever they are.

/// B^T d, its results 0 to 2 (of the first half) or 3 to 5: half of the registers that all six would take.
template <bool kFirst, class At, class Put>
inline void input_line(const At& at, const Put& put) {
  const Vec four = splat(4), five = splat(5), two = splat(2);
  const Vec d1 = at(1), d2 = at(2), d3 = at(3), d4 = at(4);
  if constexpr (kFirst) {
    const Vec even = d4 - four * d2, odd = d3 - four * d1;
    put(0, four * at(0) - five * d2 + d4);
    put(1, even + odd);
    put(2, even - odd);
  } else {
    const Vec even = d4 - d2, odd = two * (d3 - d1);
    put(3, even + odd);
    put(4, even - odd);
    put(5, four * d1 - five * d3 + at(5));
  }
}

/// A^T m
template <class At, class Put>
inline void output_line(const At& at, const Put& put) {
  const Vec m1 = at(1), m2 = at(2), m3 = at(3), m4 = at(4);
  const Vec s1 = m1 + m2, d1 = m1 - m2, s2 = m3 + m4, d2 = m3 - m4;
  put(0, at(0) + s1 + s2);
  put(1, d1 + splat(2) * d2);
  put(2, s1 + splat(4) * s2);
  put(3, d1 + splat(8) * d2 + at(5));
}

/// A y
template <class At, class Put>
inline void grad_line(const At& at, const Put& put) {
  const Vec y0 = at(0), y1 = at(1), y2 = at(2), y3 = at(3);
  const Vec even = y0 + y2, odd = y1 + y3;
  const Vec even2 = y0 + splat(4) * y2, odd2 = splat(2) * y1 + splat(8) * y3;
  put(0, y0);
  put(1, even + odd);
  put(2, even - odd);
  put(3, even2 + odd2);
  put(4, even2 - odd2);
  put(5, y3);
}

/// G g
inline void filter_line(const Vec* g, int step, Vec* o, int out_step) {
  const Vec sixth = splat(-1.0f / 6), outer = (g[0] + g[2 * step]) * sixth, inner = g[step] * sixth;
  const Vec ends = g[0] * splat(1.0f / 24) + g[2 * step] * splat(1.0f / 6), middle = g[step] * splat(1.0f / 12);
  o[0] = g[0] * splat(0.25f);
  o[out_step] = outer + inner;
  o[2 * out_step] = outer - inner;
  o[3 * out_step] = ends + middle;
  o[4 * out_step] = ends - middle;
  o[5 * out_step] = g[2 * step];
}

/// G^T u
inline void filter_grad_line(const Vec* u, int step, Vec* o, int out_step) {
  const Vec sixth = splat(1.0f / 6), s1 = (u[step] + u[2 * step]) * sixth, s2 = u[3 * step] + u[4 * step];
  o[0] = u[0] * splat(0.25f) - s1 + s2 * splat(1.0f / 24);
  o[out_step] = (u[2 * step] - u[step]) * sixth + (u[3 * step] - u[4 * step]) * splat(1.0f / 12);
  o[2 * out_step] = s2 * sixth - s1 + u[5 * step];
}

/// Where tile `index` of a batch of images begins, and what lies inside.
template <class T>
struct Place {
  const T* image;
  int64_t h, w;
};
template <class T>
inline Place<T> place(const WinogradImages& g, const T* images, int64_t index) {
  const int64_t tiles_w = (g.w + 3) / 4, tiles_h = (g.h + 3) / 4;
  const int64_t image = index / (tiles_h * tiles_w), in_image = index % (tiles_h * tiles_w);
  return {images + image * g.h * g.w * g.channels, in_image / tiles_w * 4, in_image % tiles_w * 4};
}

/// True when the kSize x kSize pixels from (h, w) on lie inside of the image.
template <int kSize>
inline bool inside(const WinogradImages& g, int64_t h, int64_t w) {
  return h >= 0 && w >= 0 && h + kSize <= g.h && w + kSize <= g.w;
}

/// The kSize x kSize pixels from (h, w) on, of which some lie outside of the image and count as zeros.
template <int kSize, class T>
struct BorderPatch {
  BorderPatch(const WinogradImages& g, const T* image, int64_t h, int64_t w) : channels(g.channels) {
    static constexpr T kZeros[kWidth] = {};
    for (int i = 0; i < kSize; ++i) {
      const bool there = h + i >= 0 && h + i < g.h;
      row[i] = there ? image + ((h + i) * g.w + w) * g.channels : kZeros;
      mask[i] = there ? -1 : 0;  // a row outside is read at its beginning, whatever the column
      column[i] = w + i >= 0 && w + i < g.w;
    }
  }
  /// kWidth channels of pixel (i, j), from c on.
  template <class Read>
  Vec at(int i, int j, int64_t c, const Read& read) const {
    return column[j] ? read(row[i] + ((j * channels + c) & mask[i])) : Vec{};
  }

  int64_t channels;
  const T* row[kSize];
  int64_t mask[kSize];
  bool column[kSize];
};

/// Results 6 * i + j of B^T d B for i in a half; `at(i, j)` gives d.
template <bool kFirst, class At, class Put>
inline void input_half(const At& at, const Put& put) {
  constexpr int kRow = kFirst ? 0 : 3;
  Vec half[18];
  for (int j = 0; j < 6; ++j)
    input_line<kFirst>([&](int i) { return at(i, j); }, [&](int i, Vec v) { half[6 * (i - kRow) + j] = v; });
  for (int i = 0; i < 3; ++i) {
    const auto middle = [&](int j) { return half[6 * i + j]; };
    const auto result = [&](int j, Vec v) { put(6 * (kRow + i) + j, v); };
    input_line<true>(middle, result);
    input_line<false>(middle, result);
  }
}
template <class At, class Put>
inline void input_tile(const At& at, const Put& put) {
  input_half<true>(at, put);
  input_half<false>(at, put);
}

/// Results 6 * i + j of A y A^T; `at(i, j)` gives y.
template <class At, class Put>
inline void grad_tile(const At& at, const Put& put) {
  Vec half[24];
  for (int j = 0; j < 4; ++j) grad_line([&](int i) { return at(i, j); }, [&](int i, Vec v) { half[4 * i + j] = v; });
  for (int i = 0; i < 6; ++i)
    grad_line([&](int j) { return half[4 * i + j]; }, [&](int j, Vec v) { put(6 * i + j, v); });
}

/// to {36, stride tiles, channels} = transform(patch) of tiles [begin, end): the kSize x kSize pixels that begin
/// kMargin before a tile, kWidth channels of which read(pointer) gives.
template <int kSize, int kMargin, class T, class Read, class Transform>
inline void transform_tiles(const WinogradImages& g, const T* images, const Read& read, int64_t begin, int64_t end,
                            float* to, int64_t stride, const Transform& transform) {
  for (int64_t t = begin; t < end; ++t, to += g.channels) {
    const Place<T> p = place(g, images, t);
    const int64_t h = p.h - kMargin, w = p.w - kMargin;
    const auto put_from = [=, &g](int64_t c) {
      return [=, &g](int k, Vec value) { store(to + k * stride * g.channels + c, value); };
    };
    if (inside<kSize>(g, h, w)) {
      const T* from = p.image + (h * g.w + w) * g.channels;
      for (int64_t c = 0; c < g.channels; c += kWidth)
        transform([&](int i, int j) { return read(from + (i * g.w + j) * g.channels + c); }, put_from(c));
    } else {
      const BorderPatch<kSize, T> patch(g, p.image, h, w);
      for (int64_t c = 0; c < g.channels; c += kWidth)
        transform([&](int i, int j) { return patch.at(i, j, c, read); }, put_from(c));
    }
  }
}

constexpr auto kInputTile = [](const auto& at, const auto& put) { input_tile(at, put); };
constexpr auto kGradTile = [](const auto& at, const auto& put) { grad_tile(at, put); };
constexpr auto kFloats = [](const float* p) { return load(p); };

/// v = B^T d B
void winograd_input(const WinogradImages& g, const float* x, int64_t begin, int64_t end, float* v, int64_t stride) {
  transform_tiles<6, 1>(g, x, kFloats, begin, end, v, stride, kInputTile);
}

/// The same of what codes stand for.
template <class T>
void input_of_codes(const WinogradImages& g, const T* x, float step, int64_t begin, int64_t end, float* v,
                    int64_t stride) {
  const auto read = [by = splat(step)](const T* p) { return whole_numbers(p) * by; };
  transform_tiles<6, 1>(g, x, read, begin, end, v, stride, kInputTile);
}
void winograd_input_codes(const WinogradImages& g, const SteppedCodes& x, int64_t begin, int64_t end, float* v,
                          int64_t stride) {
  if (x.is_signed) return input_of_codes(g, reinterpret_cast<const int8_t*>(x.codes), x.step, begin, end, v, stride);
  input_of_codes(g, x.codes, x.step, begin, end, v, stride);
}

/// d = A dY A^T
void winograd_grad(const WinogradImages& g, const float* dy, int64_t begin, int64_t end, float* d, int64_t stride) {
  transform_tiles<4, 0>(g, dy, kFloats, begin, end, d, stride, kGradTile);
}

/// y = A^T m A for tiles [begin, end) of m {36, stride tiles, channels}.
void winograd_output(const WinogradImages& g, const float* m, int64_t stride, int64_t begin, int64_t end, float* y) {
  for (int64_t t = begin; t < end; ++t) {
    const Place<float> p = place<float>(g, y, t);
    float* image = y + (p.image - y);
    const float* from = m + (t - begin) * g.channels;
    const int64_t rows = g.h - p.h < 4 ? g.h - p.h : 4, columns = g.w - p.w < 4 ? g.w - p.w : 4;
    for (int64_t c = 0; c < g.channels; c += kWidth) {
      Vec half[24];
      for (int j = 0; j < 6; ++j)
        output_line([&](int i) { return load(from + (6 * i + j) * stride * g.channels + c); },
                    [&](int i, Vec v) { half[6 * i + j] = v; });
      for (int i = 0; i < rows; ++i) {
        float* row = image + ((p.h + i) * g.w + p.w) * g.channels + c;
        output_line([&](int j) { return half[6 * i + j]; },
                    [&](int j, Vec v) {
                      if (j < columns) store(row + j * g.channels, v);
                    });
      }
    }
  }
}

/// One panel of u {36, panels of out, in, panel}: filters {out,3,3,in}, or, for the data gradient, filters
/// {in,3,3,out} turned by half a turn.
void winograd_filter(const float* w, int64_t in, int64_t out, bool turned, int64_t panel, float* u) {
  const int64_t panels = (out + kPanel - 1) / kPanel, o0 = panel * kPanel;
  const int64_t count = out - o0 < kPanel ? out - o0 : kPanel;
  for (int64_t c = 0; c < in; ++c) {
    for (int v = 0; v < kVecs; ++v) {
      float lanes[9][kWidth] = {};
      for (int l = 0; l < kWidth && v * kWidth + l < count; ++l) {
        const int64_t o = o0 + v * kWidth + l;
        for (int tap = 0; tap < 9; ++tap)
          lanes[tap][l] = turned ? w[(c * 9 + 8 - tap) * out + o] : w[(o * 9 + tap) * in + c];
      }
      Vec g[9], half[18], full[36];
      for (int tap = 0; tap < 9; ++tap) g[tap] = load(lanes[tap]);
      for (int j = 0; j < 3; ++j) filter_line(g + j, 3, half + j, 3);
      for (int i = 0; i < 6; ++i) filter_line(half + 3 * i, 1, full + 6 * i, 1);
      for (int i = 0; i < 36; ++i) store(u + ((i * panels + panel) * in + c) * kPanel + v * kWidth, full[i]);
    }
  }
}

/// dw {out,3,3,in} of one output channel from sums {36, out, in}.
void winograd_filter_grad(const float* sums, int64_t in, int64_t out, int64_t o, float* dw) {
  for (int64_t c = 0; c < in; c += kWidth) {
    Vec u[36], half[18], g[9];
    for (int i = 0; i < 36; ++i) u[i] = load(sums + (i * out + o) * in + c);
    for (int j = 0; j < 6; ++j) filter_grad_line(u + j, 6, half + j, 6);
    for (int i = 0; i < 3; ++i) filter_grad_line(half + 6 * i, 1, g + 3 * i, 1);
    for (int tap = 0; tap < 9; ++tap) store(dw + (o * 9 + tap) * in + c, g[tap]);
  }
}

/// m {rows, out} = v {rows, in} * one of the 36 matrices u {panels, in, panel}.
void winograd_product(const float* v, const float* u, int64_t rows, int64_t in, int64_t out, float* m) {
  for (int64_t o = 0; o < out; o += kPanel, u += in * kPanel) {
    const int64_t channels = out - o < kPanel ? out - o : kPanel;
    for (int64_t r = 0; r < rows; r += kTile) {
      const int64_t count = rows - r < kTile ? rows - r : kTile;
      with_tile(count, channels, [&](auto tile_rows, auto vecs) {
        product_tile<tile_rows.value, vecs.value>(v + r * in, in, in, u, m + r * out + o, out, channels);
      });
    }
  }
}

/// acc {out, in} += sum over rows of d {rows, out} x v {rows, in}.
void winograd_outer(const float* d, const float* v, int64_t rows, int64_t in, int64_t out, float* acc) {
  const int64_t tiles = (out + kTile - 1) / kTile;
  for (int64_t c = 0; c < in; c += kPanel) {
    const int64_t channels = in - c < kPanel ? in - c : kPanel;
    for (int64_t k = 0; k < tiles; ++k) {
      const int64_t o = out * k / tiles, next = out * (k + 1) / tiles;
      with_tile(next - o, channels, [&](auto tile_rows, auto vecs) {
        outer_tile<tile_rows.value, vecs.value>(
            rows, d + o, out, [=](int64_t i) { return v + i * in + c; }, acc + o * in + c, in, channels);
      });
    }
  }
}

}  // namespace

void fill_winograd(Kernels& t) {
  t.width = kWidth;
  t.winograd_input = winograd_input;
  t.winograd_input_codes = winograd_input_codes;
  t.winograd_grad = winograd_grad;
  t.winograd_output = winograd_output;
  t.winograd_filter = winograd_filter;
  t.winograd_filter_grad = winograd_filter_grad;
  t.winograd_product = winograd_product;
  t.winograd_outer = winograd_outer;
}

}  // namespace ntq::cpu::NTQ_ISA
