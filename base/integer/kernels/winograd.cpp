// F(2x2,3x3) on codes, exact. V = B^T d B of each 4x4 tile has coefficients 0 and +-1: bytes, with an offset that
// `start` takes back. M = sum over channels of V * U is never stored: columns 1 and 2 of a row are summed, their sum
// and difference go on as sums for columns 0 and 3, which are A's two columns then; rows 1 and 2 wait in cache for rows
// 0 and 3, which end as the four outputs, times 4. See pack_winograd() for U.
//
// V {group of kTiles, row 1 2 0 3, in_c / kDepth, kTiles, 4 columns, kDepth}: one walk through it for each strip of
// output channels.
#include "base/integer/winograd.h"
#include "base/integer/kernels/dot.h"
#include "base/integer/kernels/epilogue.h"
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

#ifdef __AVX512BW__
constexpr int kTiles = 6;
#else
constexpr int kTiles = 3;
#endif
static_assert(kWinogradGroup % kTiles == 0);

#if defined(__AVX2__) && !defined(__AVX512VNNI__)
/// Two quads of channels, added in 16 bits: 4 products, of bytes up to 6 x_top and weights up to 9 w_top.
struct Pairs : OneQuad {
  struct Two {
    Ints a, b;
  };
  using X = Two;
  using W = Two;
  static constexpr int kQuads = 2;
  static X x(const uint8_t* p) { return {splat(word_at(p)), splat(word_at(p + kQuad))}; }
  static W w(const int8_t* p) { return {load(p), load(p + 2 * kPanel * kQuad)}; }
  static Ints dot(Ints acc, const X& x, const W& w) {
    return acc + widen(Shorts::dot(multiply_bytes(x.a, w.a), x.b, w.b));
  }
};
#endif

/// Outputs {row, column, tile} of a group: numbers in the output, -1 where there is none.
struct Group {
  int64_t pixels[4 * kTiles];
};

/// What adds the offset to all of the transform, in offsets: q q^T, q = (2, 0, 1, -1). Wrapping bytes do.
constexpr int kOffsets[4][4] = {{4, 0, 2, -2}, {0, 0, 0, 0}, {2, 0, 1, -1}, {-2, 0, -1, 1}};

/// All channels of 16 pixels, at pixel(row, column), transformed: rows 1, 2, 0, 3 of the result.
template <int kDepth, class Pixel>
inline void transform(const Pixel& pixel, int offset, int64_t in_c, uint8_t* v) {
  typedef uint8_t Row __attribute__((vector_size(kDepth)));
  for (int64_t at = 0; at < in_c; at += kDepth, v += kTiles * 4 * kDepth) {
    Row half[4][4];
    unrolled<4>([&](auto j) {
      Row x[4];
      unrolled<4>([&](auto i) {
        __builtin_memcpy(&x[i], pixel(i, j) + at, kDepth);
        if constexpr (kOffsets[i][j] != 0) x[i] += static_cast<uint8_t>(kOffsets[i][j] * offset);
      });
      half[0][j] = x[1] + x[2];
      half[1][j] = x[2] - x[1];
      half[2][j] = x[0] - x[2];
      half[3][j] = x[1] - x[3];
    });
    unrolled<4>([&](auto i) {
      const Row* h = half[i];
      const Row columns[4] = {h[0] - h[2], h[1] + h[2], h[2] - h[1], h[1] - h[3]};
      uint8_t* to = v + i * kTiles * 4 * in_c;
      unrolled<4>([&](auto j) { __builtin_memcpy(to + j * kDepth, &columns[j], kDepth); });
    });
  }
}

/// The tile whose first input pixel is (row, column), which may lie outside, to v.
template <int kDepth>
inline void transform_tile(const Conv& c, int64_t image, int64_t row, int64_t column, const uint8_t* outside,
                           uint8_t* v) {
  const ConvShape& s = c.shape;
  const int64_t in_c = s.in_c, pitch = s.in_w * in_c;
  const int offset = winograd_offset(c.x_top);
  const int64_t first = (image * s.in_h + row) * pitch + column * in_c;
  if (row >= 0 && row + 4 <= s.in_h && column >= 0 && column + 4 <= s.in_w) {
    const uint8_t* x = c.x + first;
    return transform<kDepth>([&](auto i, auto j) { return x + (i * pitch + j * in_c); }, offset, in_c, v);
  }
  const uint8_t* d[4][4];
  unrolled<4>([&](auto j) {
    const bool inside = column + j >= 0 && column + j < s.in_w;
    unrolled<4>([&](auto i) {
      d[i][j] = inside && row + i >= 0 && row + i < s.in_h ? c.x + (first + i * pitch + j * in_c) : outside;
    });
  });
  transform<kDepth>([&](auto i, auto j) { return d[i][j]; }, offset, in_c, v);
}

/// Of two columns of a row of the transform, by V vectors of output channels.
template <int V>
struct Sums {
  Ints of[2][kTiles][V];
};

/// Two columns of a row of the transform, all channels; moves u on.
template <class Dot, int kDepth, int kFirst, int kSecond, int V>
inline void add_columns(const uint8_t* v, const int8_t*& u, int64_t in_c, Sums<V>& sums) {
  for (int64_t at = 0; at < in_c; at += kDepth, v += kTiles * 4 * kDepth) {
    for (int64_t c = 0; c < kDepth; c += Dot::kQuads * kQuad, u += Dot::kQuads * 2 * kPanel * kQuad) {
      unrolled<2>([&](auto h) {
        typename Dot::W wide[V];
        unrolled<V>([&](auto k) { wide[k] = Dot::w(u + (h * kPanel + k * kInts) * kQuad); });
        unrolled<kTiles>([&](auto m) {
          const typename Dot::X four = Dot::x(v + (m * 4 + (h == 0 ? kFirst : kSecond)) * kDepth + c);
          unrolled<V>([&](auto k) { sums.of[h][m][k] = Dot::dot(sums.of[h][m][k], four, wide[k]); });
        });
      });
    }
  }
}

/// op(h, m, k) for both columns, tiles and vectors.
template <int V, class Op>
[[gnu::always_inline]] inline void each_sum(const Op& op) {
  unrolled<2>([&](auto h) { unrolled<kTiles>([&](auto m) { unrolled<V>([&](auto k) { op(h, m, k); }); }); });
}

/// A group of tiles and a strip of output channels: outputs {row, column, kTiles, kPanel}.
template <class Dot, int kDepth, int V>
void multiply(const uint8_t* v, const int8_t* u, const int32_t* start, int64_t in_c, int32_t* outputs) {
  Sums<V> waiting[2];
  for (int row = 0; row < 4; ++row, v += kTiles * 4 * in_c) {
    Sums<V> sums;
    if (row < 2) {
      each_sum<V>([&](auto h, auto m, auto k) { sums.of[h][m][k] = Ints{}; });
    } else {
      const int32_t* first = start + (row - 2) * 2 * kPanel;
      each_sum<V>([&](auto h, auto m, auto k) { sums.of[h][m][k] = load(first + h * kPanel + k * kInts); });
    }
    add_columns<Dot, kDepth, 1, 2>(v, u, in_c, sums);
    unrolled<kTiles>([&](auto m) {
      unrolled<V>([&](auto k) {
        const Ints a = sums.of[0][m][k], b = sums.of[1][m][k];
        sums.of[0][m][k] = a + b;
        sums.of[1][m][k] = a - b;
      });
    });
    if (row == 2) {
      each_sum<V>([&](auto h, auto m, auto k) { sums.of[h][m][k] += waiting[0].of[h][m][k] + waiting[1].of[h][m][k]; });
    } else if (row == 3) {
      each_sum<V>([&](auto h, auto m, auto k) { sums.of[h][m][k] += waiting[0].of[h][m][k] - waiting[1].of[h][m][k]; });
    }
    add_columns<Dot, kDepth, 0, 3>(v, u, in_c, sums);
    if (row < 2) {
      each_sum<V>([&](auto h, auto m, auto k) { waiting[row].of[h][m][k] = sums.of[h][m][k]; });
    } else {
      int32_t* to = outputs + (row - 2) * 2 * kTiles * kPanel;
      each_sum<V>([&](auto h, auto m, auto k) { store(to + (h * kTiles + m) * kPanel + k * kInts, sums.of[h][m][k]); });
    }
  }
}

int64_t number_of_run(const Axis& a, int64_t at) {
  int64_t number = 0;
  for (int64_t i = run_at(a, 0).end; i <= at; i = run_at(a, i).end) ++number;
  return number;
}

/// The epilogue of a group's outputs: all at once, or pixel by pixel where each has its own shift.
void finish_group(const Conv& c, const TileEnd& end, const int32_t* outputs, const Group& group) {
  if (!c.shift_by_taps) return end.finish(end, outputs, group.pixels, 4 * kTiles);
  const ConvShape& s = c.shape;
  const int64_t width = (s.out_c + kPanel - 1) / kPanel * kPanel;
  for (int64_t k = 0; k < 4 * kTiles; ++k) {
    if (group.pixels[k] < 0) continue;
    const int64_t i = group.pixels[k] / s.out_w % s.out_h, j = group.pixels[k] % s.out_w;
    TileEnd one = end;
    one.shift += (number_of_run(s.rows(), i) * run_count(s.columns()) + number_of_run(s.columns(), j)) * width;
    end.finish(one, outputs + k * kPanel, group.pixels + k, 1);
  }
}

template <class Dot, int kDepth>
void multiply_block(const Conv& c, const Part& part, const uint8_t* v, const Group* groups, int64_t count) {
  const ConvShape& s = c.shape;
  alignas(64) int32_t outputs[4 * kTiles * kPanel];
  FinishTile* const finish = finish_of(c.epilogue, SumsAre::four_times, c.window_sums != nullptr);
  for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    const int64_t at = panel * kPanel;
    const int8_t* u = c.weights + at * 16 * s.in_c;
    const TileEnd end = {.finish = finish,
                         .e = &c.epilogue,
                         .channels = s.out_c,
                         .at = at,
                         .scale = c.epilogue.scale,
                         .shift = c.epilogue.shift,
                         .window_sums = c.window_sums};
    for (int64_t k = 0; k < count; ++k) {
      const uint8_t* group = v + k * kTiles * 16 * s.in_c;
      for (int64_t o = 0; o < kPanel && at + o < s.out_c; o += 2 * kInts) {
        const auto strip = s.out_c - at - o > kInts ? multiply<Dot, kDepth, 2> : multiply<Dot, kDepth, 1>;
        strip(group, u + o * kQuad, c.start + 4 * at + o, s.in_c, outputs + o);
      }
      finish_group(c, end, outputs, groups[k]);
    }
  }
}

template <class Dot, int kDepth>
void winograd_by(const Conv& c, const Part& part, uint8_t* scratch) {
  const ConvShape& s = c.shape;
  uint8_t *const outside = scratch, *const v = scratch + (s.in_c + 63) / 64 * 64;
  for (int64_t k = 0; k < s.in_c; ++k) outside[k] = static_cast<uint8_t>(c.zero);
  Group groups[winograd_block(16) / kTiles];  // no fewer channels
  const int64_t block = winograd_block(s.in_c) / kTiles;
  int64_t group = 0, m = 0;  // where the next tile goes
  for (int64_t n = part.image_begin; n < part.image_end; ++n) {
    for (int64_t i = part.row_begin; i < part.row_end; i += 2) {
      for (int64_t j = 0; j < s.out_w; j += 2) {
        int64_t* pixels = groups[group].pixels;
        if (m == 0) {
          for (int64_t k = 0; k < 4 * kTiles; ++k) pixels[k] = -1;
        }
        const int64_t pixel = (n * s.out_h + i) * s.out_w + j;
        const bool down = i + 1 < part.row_end, right = j + 1 < s.out_w;
        pixels[m] = pixel;
        if (right) pixels[kTiles + m] = pixel + 1;
        if (down) pixels[2 * kTiles + m] = pixel + s.out_w;
        if (down && right) pixels[3 * kTiles + m] = pixel + s.out_w + 1;
        transform_tile<kDepth>(c, n, i - s.pad, j - s.pad, outside, v + group * kTiles * 16 * s.in_c + m * 4 * kDepth);
        if (++m < kTiles) continue;
        m = 0;
        if (++group < block) continue;
        multiply_block<Dot, kDepth>(c, part, v, groups, group);
        group = 0;
      }
    }
  }
  multiply_block<Dot, kDepth>(c, part, v, groups, group + (m > 0));
}

template <class Dot>
void winograd_at(const Conv& c, const Part& part, uint8_t* scratch) {
  if (c.shape.in_c % 64 == 0) return winograd_by<Dot, 64>(c, part, scratch);
  if (c.shape.in_c % 32 == 0) return winograd_by<Dot, 32>(c, part, scratch);
  winograd_by<Dot, 16>(c, part, scratch);
}

}  // namespace

void winograd(const Conv& c, const Part& part, uint8_t* scratch) {
#ifdef __AVX512VNNI__
  winograd_at<Vnni>(c, part, scratch);
#elif defined(__AVX2__)
  // Two pairs of products in 16 bits where they fit; one always does (2 * 186 * 72).
  return 4 * 6 * c.x_top * 9 * c.w_top <= INT16_MAX ? winograd_at<Pairs>(c, part, scratch)
                                                    : winograd_at<Bytes>(c, part, scratch);
#else
  winograd_at<Widened>(c, part, scratch);
#endif
}

}  // namespace ntq::integer::NTQ_ISA
