#include "base/integer/winograd.h"

#include <algorithm>
#include <cstring>

#include "base/ceil_div.h"
#include "base/integer/pack.h"

namespace ntq::integer {
namespace {

/// Rows of the filter transform 2G, the last one negated, for lanes of any kind that hold the results.
template <class T, size_t N>
void transform_three(const T (&a)[N], const T (&b)[N], const T (&c)[N], T (&to)[4][N]) {
  for (size_t k = 0; k < N; ++k) {
    to[0][k] = static_cast<T>(2 * a[k]);
    to[1][k] = static_cast<T>(a[k] + b[k] + c[k]);
    to[2][k] = static_cast<T>(a[k] - b[k] + c[k]);
    to[3][k] = static_cast<T>(-2 * c[k]);
  }
}
/// N filters g at once: U = (2G) g (2G)^T, whose last row and column are negated.
template <class T, size_t N>
void transform_filters(const T (&g)[3][3][N], T (&u)[4][4][N]) {
  T half[3][4][N];  // {column, row}
  for (int j = 0; j < 3; ++j) transform_three(g[0][j], g[1][j], g[2][j], half[j]);
  for (int i = 0; i < 4; ++i) transform_three(half[0][i], half[1][i], half[2][i], u[i]);
}

constexpr int64_t kQuads = 4;             // of a panel, that are taken together
constexpr int64_t kRow = kPanel * kQuad;  // one quad of a panel
struct QuadFilters {
  int8_t g[3][3][kRow];  // all of U fits bytes, as the weights are within [-8, 8]
};

}  // namespace

size_t winograd_bytes(const ConvShape& s) {
  return static_cast<size_t>(ceil_div(s.out_c, kPanel) * kPanel * 16 * s.in_c);
}

// F(2x2,3x3) with both matrices of the filter doubled: U is integer and the sums are 4 times the direct ones. The last
// row of G and of A^T is negated: A^T = (1, 1, 1, 0 / 0, 1, -1, 1) then adds rows 1 and 2 in a butterfly, and rows 0
// and 3 go on from its two results.
void pack_winograd_panel(const ConvShape& s, const CodeBounds& bounds, const int8_t* codes, int64_t panel,
                         uint8_t* weights, int32_t* start) {
  constexpr int32_t kA[2][4] = {{1, 1, 1, 0}, {0, 1, -1, 1}};
  constexpr int64_t kRowPlace[4] = {2, 0, 1, 3};  // rows are summed in the order 1, 2, 0, 3
  const int64_t stage = s.in_c * 2 * kPanel, first = panel * kPanel, there = std::min(kPanel, s.out_c - first);
  uint8_t* const to = weights + panel * 8 * stage;
  int32_t lanes[3][3][kRow] = {}, sums[3][3][kPanel] = {}, of_u[4][4][kPanel];  // over all channels
  QuadFilters quads[kQuads] = {};
  for (int64_t c = 0; c < s.in_c; c += kQuads * kQuad) {
    for (int64_t o = 0; o < there; ++o) {
      const int8_t* w = codes + (first + o) * 9 * s.in_c + c;
      for (int64_t tap = 0; tap < 9; ++tap, w += s.in_c) {
        for (int64_t q = 0; q < kQuads; ++q)
          std::memcpy(quads[q].g[tap / 3][tap % 3] + o * kQuad, w + q * kQuad, kQuad);
      }
    }
    for (int64_t tap = 0; tap < 9; ++tap) {
      for (int64_t k = 0; k < kRow; ++k) {
        int8_t sum = 0;
        for (const QuadFilters& quad : quads) sum = static_cast<int8_t>(sum + quad.g[tap / 3][tap % 3][k]);
        lanes[tap / 3][tap % 3][k] += sum;
      }
    }
    for (int64_t q = 0; q < kQuads; ++q) {
      int8_t u[4][4][kRow];
      transform_filters(quads[q].g, u);
      for (int64_t i = 0; i < 4; ++i) {
        for (int64_t j = 0; j < 4; ++j) {
          const int64_t part = kRowPlace[i] * 2 + (j == 0 || j == 3), second = j >= 2;
          std::memcpy(to + part * stage + second * kRow + (c + q * kQuad) * 2 * kPanel, u[i][j], kRow);
        }
      }
    }
  }
  for (int64_t tap = 0; tap < 9; ++tap) {
    for (int64_t k = 0; k < kRow; ++k) sums[tap / 3][tap % 3][k / kQuad] += lanes[tap / 3][tap % 3][k];
  }
  transform_filters(sums, of_u);
  // What outputs (r, 0) and (r, 1) have too much; halves of their sum and difference, as they enter a butterfly.
  for (int64_t r = 0; r < 2; ++r) {
    int32_t* const halves = start + (panel * 4 + r * 2) * kPanel;
    for (int64_t o = 0; o < kPanel; ++o) {
      int32_t extra[2] = {}, direct = 0;
      for (const auto& row : sums) direct += row[0][o] + row[1][o] + row[2][o];
      for (int64_t q = 0; q < 2; ++q) {
        for (int64_t i = 0; i < 4; ++i) {
          for (int64_t j = 0; j < 4; ++j)
            extra[q] += winograd_offset(bounds.x_top) * kA[r][i] * kA[q][j] * of_u[i][j][o];
        }
        extra[q] += 4 * bounds.zero * direct;
      }
      halves[o] = -(extra[0] + extra[1]) / 2;
      halves[kPanel + o] = -(extra[0] - extra[1]) / 2;
    }
  }
}

}  // namespace ntq::integer
