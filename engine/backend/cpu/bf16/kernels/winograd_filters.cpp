// Filters for F(2x2,3x3): G g G^T with the last row of G negated, in float32, rounded once.
#include "engine/backend/cpu/bf16/kernels/transpose.h"
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
  each<3>([&](auto j) { filter_line(tap(0, j), tap(1, j), tap(2, j), half[j]); });
  each<4>([&](auto i) { filter_line(half[0][i], half[1][i], half[2][i], to[i]); });
}

/// Where the products of row i and column j begin in a panel of u.
constexpr int64_t place_in_panel(int i, int j, int64_t in_c) {
  const int row[4] = {2, 0, 1, 3};
  return ((row[i] * 2 + (j == 0 || j == 3)) * in_c + (j >= 2)) * 2 * kPanel;
}

/// Two input channels of kWidth output channels, which are side by side in w.
void turned_strip(const WinogradFilters& f, int64_t c, int64_t o, BFloat16* u) {
  const Vec scale = splat(f.scale);
  Vec values[2][4][4];
  each<2>([&](auto q) {
    const float* w = f.w + (c + q) * 9 * f.out_c + o;
    transform_filter([&](int i, int j) { return load(w + (8 - 3 * i - j) * f.out_c) * scale; }, values[q]);
  });
  each<4>([&](auto i) {
    each<4>([&](auto j) {
      const Pairs pairs = zipped(values[0][i][j], values[1][i][j]);
      __builtin_memcpy(u + place_in_panel(i, j, f.in_c), &pairs, sizeof pairs);
    });
  });
}

/// `pairs` pairs of input channels of kWidth output channels: the former are side by side in w.
void strip(const WinogradFilters& f, int64_t c, int64_t pairs, int64_t o, BFloat16* u) {
  const Vec scale = splat(f.scale);
  Pairs rows[16][kWidth];
  for (int l = 0; l < kWidth; ++l) {
    const float* w = f.w + (o + l) * 9 * f.in_c + c;
    Vec a[4][4], b[4][4];
    transform_filter([&](int i, int j) { return load(w + (3 * i + j) * f.in_c) * scale; }, a);
    if (2 * pairs > kWidth) w += kWidth;
    transform_filter([&](int i, int j) { return load(w + (3 * i + j) * f.in_c) * scale; }, b);
    each<4>([&](auto i) { each<4>([&](auto j) { rows[i * 4 + j][l] = joined(a[i][j], b[i][j]); }); });
  }
  for (int p = 0; p < 16; ++p) {
    transpose(rows[p]);
    BFloat16* const to = u + place_in_panel(p / 4, p % 4, f.in_c);
    for (int64_t k = 0; k < pairs; ++k) __builtin_memcpy(to + k * 4 * kPanel, &rows[p][k], sizeof rows[p][k]);
  }
}

void winograd_filters(const WinogradFilters& f, int64_t panel, BFloat16* u) {
  u += panel * kPanel * 16 * f.in_c;
  const int64_t first = panel * kPanel, count = f.out_c - first < kPanel ? f.out_c - first : kPanel;
  const int64_t channels = f.turned ? 2 : 2 * kWidth;
  for (int64_t c = 0; c < f.in_c; c += channels) {
    for (int64_t k = 0; k < count; k += kWidth) {
      BFloat16* const to = u + c * 2 * kPanel + 2 * k;
      if (f.turned) {
        turned_strip(f, c, first + k, to);
      } else {
        strip(f, c, (f.in_c - c < channels ? f.in_c - c : channels) / 2, first + k, to);
      }
    }
  }
}

}  // namespace

void fill_winograd_filters(Kernels& t) { t.winograd_filters = winograd_filters; }

}  // namespace ntq::bf16::NTQ_ISA
