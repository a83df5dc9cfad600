// The filter gradient of F(2x2,3x3): G^T [sum over tiles of (B^T d B) . (A dY A^T)] G, tiles in pairs, which a dot
// product sums. Both transforms are rounded to bfloat16 once.
#include "engine/backend/cpu/bf16/kernels/winograd.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kGradRows = 8;
#else
constexpr int kGradRows = 4;
#endif
static_assert(kBlock % kGradRows == 0 && kBlock % kWidth == 0);

/// A y for A^T = (1 1 1 0 | 0 1 -1 1).
[[gnu::always_inline]] inline void grad_line(const Vec& y0, const Vec& y1, Vec* to) {
  to[0] = y0;
  to[1] = y0 + y1;
  to[2] = y0 - y1;
  to[3] = y1;
}
template <class At>
[[gnu::always_inline]] inline void grad_transform(const At& at, Vec (&to)[4][4]) {
  Vec half[2][4];  // column, row
  unrolled<2>([&](auto j) { grad_line(at(Index<0>{}, j), at(Index<1>{}, j), half[j]); });
  unrolled<4>([&](auto i) { grad_line(half[0][i], half[1][i], to[i]); });
}

/// transform(at, values) of two tiles' patches of kSize x kSize pixels that begin `margin` before a tile, side by side.
/// Behind the last tile there are zeros.
template <int kSize, class X, class Transform>
void transform_pairs(const TiledInput& in, const X* x, int64_t margin, const TilePairs& tiles, int64_t begin,
                     int64_t end, BFloat16* to, const Transform& transform) {
  const TiledImages& g = in.images;
  const int64_t position = pair_stride((tiles.tiles + 1) / 2) * 2 * kBlock, block = 16 * position;
  Tile t = tile_at(g, tiles.first + 2 * begin), later = tile_at(g, tiles.first + 2 * begin + kAhead);
  for (int64_t pair = begin; pair < end; ++pair) {
    const Tile first = t;
    for (int k = 0; k < 2; ++k, step(g, later)) prefetch(in, x, later, margin);
    step(g, t);
    Tile second = t;
    step(g, t);
    if (2 * pair + 1 == tiles.tiles) second.row = g.h + margin;  // all of it outside
    with_patch<kSize>(in, x, first, margin, [&](const auto& one) {
      with_patch<kSize>(in, x, second, margin, [&](const auto& two) {
        for (int64_t c = 0; c < g.channels; c += kWidth) {
          BFloat16* const at = to + c / kBlock * block + (pair * kBlock + c % kBlock) * 2;
          Vec a[4][4], b[4][4];
          transform([&](auto i, auto j) { return values_at(one(i, j) + c); }, a);
          transform([&](auto i, auto j) { return values_at(two(i, j) + c); }, b);
          unrolled<4>([&](auto i) {
            unrolled<4>([&](auto j) {
              const Pairs pairs = zipped(a[i][j], b[i][j]);
              __builtin_memcpy(at + (i * 4 + j) * position, &pairs, sizeof pairs);
            });
          });
        }
      });
    });
  }
}

void winograd_pairs(const TiledInput& input, const TilePairs& tiles, int64_t begin, int64_t end, BFloat16* v) {
  with_type(input.x, [&](const auto* x) {
    transform_pairs<4>(input, x, 1, tiles, begin, end, v,
                       [](const auto& at, Vec(&to)[4][4]) { input_transform(at, to); });
  });
}
void winograd_grad_pairs(const TiledInput& dy, const TilePairs& tiles, int64_t begin, int64_t end, BFloat16* d) {
  transform_pairs<2>(dy, static_cast<const BFloat16*>(dy.x.data), 0, tiles, begin, end, d,
                     [](const auto& at, Vec(&to)[4][4]) { grad_transform(at, to); });
}

/// G^T u for the G of the filters.
[[gnu::always_inline]] inline void filter_grad_line(const Vec& u0, const Vec& u1, const Vec& u2, const Vec& u3,
                                                    Vec* to) {
  const Vec half = splat(0.5f), ends = (u1 + u2) * half;
  to[0] = u0 + ends;
  to[1] = (u1 - u2) * half;
  to[2] = ends - u3;
}

/// kGradRows output channels by V vectors of input channels, v's blocks or parts of them.
template <int V>
void outer(const BFloat16* d, const BFloat16* const* v, int64_t pairs, int64_t in_c, float* dw) {
  const int64_t skip = (pair_stride(pairs) - pairs) * 2 * kBlock;
  const BFloat16* wide[V];
  unrolled<V>([&](auto k) { wide[k] = v[k]; });
  Vec products[16][kGradRows][V];
  for (int p = 0; p < 16; ++p) {
    Vec sums[kGradRows][V];
    unrolled<kGradRows>([&](auto m) { unrolled<V>([&](auto k) { sums[m][k] = Vec{}; }); });
    for (int64_t i = 0; i < pairs; ++i, d += 2 * kBlock) {
      Pairs b[V];
      unrolled<V>([&](auto k) {
        b[k] = load_pairs(wide[k]);
        wide[k] += 2 * kBlock;
      });
      unrolled<kGradRows>([&](auto m) {
        const Pairs a = splat_pair(d + 2 * m);
        unrolled<V>([&](auto k) { sums[m][k] = dot(a, b[k], sums[m][k]); });
      });
    }
    d += skip;
    unrolled<V>([&](auto k) { wide[k] += skip; });
    unrolled<kGradRows>([&](auto m) { unrolled<V>([&](auto k) { products[p][m][k] = sums[m][k]; }); });
  }
  for (int m = 0; m < kGradRows; ++m, dw += 9 * in_c) {
    unrolled<V>([&](auto k) {
      const auto at = [&](int i, int j) { return products[i * 4 + j][m][k]; };
      Vec half[4][3], g[3][3];  // column, row
      unrolled<4>([&](auto j) { filter_grad_line(at(0, j), at(1, j), at(2, j), at(3, j), half[j]); });
      unrolled<3>([&](auto i) { filter_grad_line(half[0][i], half[1][i], half[2][i], half[3][i], g[i]); });
      for (int tap = 0; tap < 9; ++tap) {
        float* to = dw + tap * in_c + k * kWidth;
        store(to, load(to) + g[tap / 3][tap % 3]);
      }
    });
  }
}

void winograd_outer(const BFloat16* d, const BFloat16* v, int64_t pairs, int64_t in_c, int64_t begin, int64_t end,
                    float* dw) {
  const int64_t block = 16 * pair_stride(pairs) * 2 * kBlock;
  for (int64_t c = 0; c < in_c; c += kPanel) {
    const auto part = [&](int64_t at) { return v + at / kBlock * block + at % kBlock * 2; };
    const bool both = in_c - c > kWidth;
    const BFloat16* const wide[2] = {part(c), both ? part(c + kWidth) : nullptr};
    const auto run = both ? outer<2> : outer<1>;
    for (int64_t o = begin * kBlock; o < end * kBlock; o += kGradRows)
      run(d + o / kBlock * block + o % kBlock * 2, wide, pairs, in_c, dw + o * 9 * in_c + c);
  }
}

}  // namespace

void fill_winograd_grad(Kernels& t) {
  t.winograd_pairs = winograd_pairs;
  t.winograd_grad_pairs = winograd_grad_pairs;
  t.winograd_outer = winograd_outer;
}

}  // namespace ntq::bf16::NTQ_ISA
