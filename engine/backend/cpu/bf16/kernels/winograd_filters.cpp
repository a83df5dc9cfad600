// Filters for F(2x2,3x3): G g G^T with the last row of G negated, in float32, rounded once.
#include "engine/backend/cpu/bf16/kernels/winograd.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

/// G g for G = (1 0 0 | 1/2 1/2 1/2 | 1/2 -1/2 1/2 | 0 0 -1).
[[gnu::always_inline]] inline void filter_line(const Vec& g0, const Vec& g1, const Vec& g2, Vec* to) {
  const Vec half = splat(0.5f), ends = (g0 + g2) * half, middle = g1 * half;
  to[0] = g0;
  to[1] = ends + middle;
  to[2] = ends - middle;
  to[3] = -g2;
}
/// G g G^T, tap(i, j) giving g.
template <class Tap>
[[gnu::always_inline]] inline void transform_filter(const Tap& tap, Vec (&to)[4][4]) {
  Vec half[3][4];  // column, row
  unrolled<3>([&](auto j) { filter_line(tap(0, j), tap(1, j), tap(2, j), half[j]); });
  unrolled<4>([&](auto i) { filter_line(half[0][i], half[1][i], half[2][i], to[i]); });
}

/// Where the products of row i and column j begin in a panel of u.
constexpr int64_t place_in_panel(int i, int j, int64_t in_c) {
  const int row[4] = {2, 0, 1, 3};
  return ((row[i] * 2 + (j == 0 || j == 3)) * in_c + (j >= 2)) * 2 * kPanel;
}

/// A strip of kWidth output channels, side by side in w.
void turned_strip(const WinogradFilters& f, int64_t o, BFloat16* u) {
  for (int64_t c = 0; c < f.in_c; c += 2, u += 4 * kPanel) {
    Vec values[2][4][4];
    unrolled<2>([&](auto q) {
      const float* w = f.w + (c + q) * 9 * f.out_c + o;
      transform_filter([&](int i, int j) { return load(w + (8 - 3 * i - j) * f.out_c); }, values[q]);
    });
    unrolled<4>([&](auto i) {
      unrolled<4>([&](auto j) {
        const Pairs pairs = zipped(values[0][i][j], values[1][i][j]);
        __builtin_memcpy(u + place_in_panel(i, j, f.in_c), &pairs, sizeof pairs);
      });
    });
  }
}

/// The same of filters whose input channels are side by side: pairs of them are turned to columns.
void strip(const WinogradFilters& f, int64_t o, BFloat16* u) {
  constexpr int kPairs = kWidth / 2;
  for (int64_t c = 0; c < f.in_c; c += kWidth, u += kPairs * 4 * kPanel) {
    uint32_t rows[16][kWidth][kPairs];
    for (int l = 0; l < kWidth; ++l) {
      const float* w = f.w + (o + l) * 9 * f.in_c + c;
      Vec values[4][4];
      transform_filter([&](int i, int j) { return load(w + (3 * i + j) * f.in_c); }, values);
      unrolled<4>([&](auto i) {
        unrolled<4>([&](auto j) {
          const VecH halves = rounded(values[i][j]);
          __builtin_memcpy(rows[i * 4 + j][l], &halves, sizeof halves);
        });
      });
    }
    for (int p = 0; p < 16; ++p) {
      BFloat16* to = u + place_in_panel(p / 4, p % 4, f.in_c);
      for (int k = 0; k < kPairs; ++k, to += 4 * kPanel) {
        uint32_t column[kWidth];
        for (int l = 0; l < kWidth; ++l) column[l] = rows[p][l][k];
        __builtin_memcpy(to, column, sizeof column);
      }
    }
  }
}

void winograd_filters(const WinogradFilters& f, int64_t panel, BFloat16* u) {
  u += panel * kPanel * 16 * f.in_c;
  for (int64_t o = panel * kPanel; o < (panel + 1) * kPanel && o < f.out_c; o += kWidth, u += 2 * kWidth)
    f.turned ? turned_strip(f, o, u) : strip(f, o, u);
}

}  // namespace

void fill_winograd_filters(Kernels& t) { t.winograd_filters = winograd_filters; }

}  // namespace ntq::bf16::NTQ_ISA
