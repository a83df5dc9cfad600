// F(2x2,3x3) on codes, exact. V = B^T d B of each 4x4 tile has coefficients 0 and +-1: bytes, with an offset of 64 that
// `start` takes back. M = sum over channels of V * U is never stored: columns 1 and 2 of a row are summed, their sum and
// difference go on as sums for columns 0 and 3, which are A's two columns then; rows 1 and 2 wait in cache for rows 0 and
// 3, which end as the four outputs, times 4. See pack_winograd() for U.
//
// V {group of kTiles, row 1 2 0 3, in_c / kDepth, kTiles, 4 columns, kDepth}: one walk through it for each strip of
// output channels.
#include "base/integer/kernels/dot.h"
#include "base/integer/kernels/epilogue.h"
#include "base/integer/kernels/kernels.h"
#include "base/integer/winograd.h"

namespace ntq::integer::NTQ_ISA {
namespace {

constexpr int kVecs = 2;
constexpr int kStrip = kVecs * kInts;
constexpr int kTiles = 3;
static_assert(kWinogradGroup % kTiles == 0 && kPanel % kStrip == 0);
constexpr int64_t kDepth = 16;

/// The four outputs of one tile: numbers in the output, -1 outside; and the top left pixel of its input, which may lie
/// outside.
struct Tile {
  int64_t pixels[4];
  int64_t image, row, column;
};

/// Bytes that add kWinogradOffset to all of the transform: 64 q q^T, q = (2, 0, 1, -1), in wrapping bytes.
constexpr uint8_t kOffsets[4][4] = {{0, 0, 128, 128}, {0, 0, 0, 0}, {128, 0, 64, 192}, {128, 0, 192, 64}};

/// A tile into place m of its group.
void transform_input(const Conv& c, const Tile& t, const uint8_t* outside, int64_t m, uint8_t* group) {
  const ConvShape& s = c.shape;
  const uint8_t* d[4][4];
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 4; ++j) {
      const int64_t h = t.row + i, w = t.column + j;
      const bool inside = h >= 0 && h < s.in_h && w >= 0 && w < s.in_w;
      d[i][j] = inside ? c.x + ((t.image * s.in_h + h) * s.in_w + w) * s.in_c : outside;
    }
  }
  for (int64_t at = 0; at < s.in_c; at += kDepth) {
    uint8_t half[4][4][kDepth];  // rows 1, 2, 0, 3
    for (int64_t j = 0; j < 4; ++j) {
      for (int64_t k = 0; k < kDepth; ++k) {
        const int a = d[0][j][at + k] + kOffsets[0][j], b = d[1][j][at + k] + kOffsets[1][j],
                  e = d[2][j][at + k] + kOffsets[2][j], f = d[3][j][at + k] + kOffsets[3][j];
        half[0][j][k] = static_cast<uint8_t>(b + e);
        half[1][j][k] = static_cast<uint8_t>(e - b);
        half[2][j][k] = static_cast<uint8_t>(a - e);
        half[3][j][k] = static_cast<uint8_t>(b - f);
      }
    }
    for (int64_t i = 0; i < 4; ++i) {
      uint8_t* to = group + i * kTiles * 4 * s.in_c + (at * kTiles + m * kDepth) * 4;
      const auto& h = half[i];
      for (int64_t k = 0; k < kDepth; ++k) {
        to[k] = static_cast<uint8_t>(h[0][k] - h[2][k]);
        to[kDepth + k] = static_cast<uint8_t>(h[1][k] + h[2][k]);
        to[2 * kDepth + k] = static_cast<uint8_t>(h[2][k] - h[1][k]);
        to[3 * kDepth + k] = static_cast<uint8_t>(h[1][k] - h[3][k]);
      }
    }
  }
}

struct Sums {
  Ints of[2][kTiles][kVecs];
};

/// Two columns of a row of the transform, all channels; moves u on.
template <class Dot, int kFirst, int kSecond>
inline void add_columns(const uint8_t* v, const int8_t*& u, int64_t in_c, Sums& sums) {
  for (int64_t at = 0; at < in_c; at += kDepth, v += kTiles * 4 * kDepth) {
    for (int64_t c = 0; c < kDepth; c += kQuad, u += 2 * kPanel * kQuad) {
      for (int h = 0; h < 2; ++h) {
        typename Dot::W wide[kVecs];
        for (int k = 0; k < kVecs; ++k) wide[k] = Dot::w(u + (h * kPanel + k * kInts) * kQuad);
        for (int m = 0; m < kTiles; ++m) {
          const typename Dot::X four = Dot::x(v + (m * 4 + (h == 0 ? kFirst : kSecond)) * kDepth + c);
          for (int k = 0; k < kVecs; ++k) sums.of[h][m][k] = Dot::dot(sums.of[h][m][k], four, wide[k]);
        }
      }
    }
  }
}

/// A group of tiles and a strip of output channels: outputs {row, column, kTiles, kPanel}.
template <class Dot>
void multiply(const uint8_t* v, const int8_t* u, const int32_t* start, int64_t in_c, int32_t* outputs) {
  Sums waiting[2];
  for (int row = 0; row < 4; ++row, v += kTiles * 4 * in_c) {
    Sums sums;
    for (int h = 0; h < 2; ++h) {
      for (int m = 0; m < kTiles; ++m) {
        for (int k = 0; k < kVecs; ++k)
          sums.of[h][m][k] = row < 2 ? Ints{} : load(start + ((row - 2) * 2 + h) * kPanel + k * kInts);
      }
    }
    add_columns<Dot, 1, 2>(v, u, in_c, sums);
    for (int m = 0; m < kTiles; ++m) {
      for (int k = 0; k < kVecs; ++k) {
        const Ints a = sums.of[0][m][k], b = sums.of[1][m][k];
        sums.of[0][m][k] = a + b;
        sums.of[1][m][k] = a - b;
        if (row < 2) continue;
        for (int h = 0; h < 2; ++h) {
          const Ints one = waiting[0].of[h][m][k], two = waiting[1].of[h][m][k];
          sums.of[h][m][k] += row == 2 ? one + two : one - two;
        }
      }
    }
    add_columns<Dot, 0, 3>(v, u, in_c, sums);
    if (row < 2) {
      waiting[row] = sums;
      continue;
    }
    for (int h = 0; h < 2; ++h) {
      for (int m = 0; m < kTiles; ++m) {
        for (int k = 0; k < kVecs; ++k)
          store(outputs + (((row - 2) * 2 + h) * kTiles + m) * kPanel + k * kInts, sums.of[h][m][k]);
      }
    }
  }
}

int64_t number_of_run(const Axis& a, int64_t at) {
  int64_t number = 0;
  for (int64_t i = run_at(a, 0).end; i <= at; i = run_at(a, i).end) ++number;
  return number;
}

/// The epilogue of a group's outputs: all at once, or pixel by pixel where each has its own shift.
void finish_group(const Conv& c, TileEnd end, const int32_t* outputs, const Tile* tiles, int64_t count) {
  const ConvShape& s = c.shape;
  const int64_t width = (s.out_c + kPanel - 1) / kPanel * kPanel;
  for (int64_t p = 0; p < 4; ++p, outputs += kTiles * kPanel) {
    int64_t pixels[kTiles];
    for (int64_t m = 0; m < count; ++m) pixels[m] = tiles[m].pixels[p];
    if (!c.shift_by_taps) {
      finish(end, outputs, pixels, count);
      continue;
    }
    for (int64_t m = 0; m < count; ++m) {
      const int64_t i = tiles[m].row + s.pad + p / 2, j = tiles[m].column + s.pad + p % 2;
      if (pixels[m] < 0) continue;
      const int64_t number = number_of_run(s.rows(), i) * run_count(s.columns()) + number_of_run(s.columns(), j);
      TileEnd one = end;
      one.shift += number * width;
      finish(one, outputs + m * kPanel, pixels + m, 1);
    }
  }
}

template <class Dot>
void multiply_block(const Conv& c, const Part& part, const uint8_t* v, const Tile* tiles, int64_t count) {
  const ConvShape& s = c.shape;
  alignas(64) int32_t outputs[4 * kTiles * kPanel];
  for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    const int64_t at = panel * kPanel;
    const int8_t* u = c.weights + at * 16 * s.in_c;
    const TileEnd end = {.e = &c.epilogue,
                         .channels = s.out_c,
                         .at = at,
                         .start = nullptr,
                         .scale = c.epilogue.scale + at,
                         .shift = c.epilogue.shift + at,
                         .shift_right = 2};
    for (int64_t first = 0; first < count; first += kTiles) {
      for (int64_t o = 0; o < kPanel && at + o < s.out_c; o += kStrip)
        multiply<Dot>(v + first * 16 * s.in_c, u + o * kQuad, c.start + 4 * at + o, s.in_c, outputs + o);
      finish_group(c, end, outputs, tiles + first, count - first < kTiles ? count - first : kTiles);
    }
  }
}

template <class Dot>
void winograd_by(const Conv& c, const Part& part, uint8_t* scratch) {
  const ConvShape& s = c.shape;
  uint8_t *const outside = scratch, *const v = scratch + (s.in_c + 63) / 64 * 64;
  for (int64_t k = 0; k < s.in_c; ++k) outside[k] = static_cast<uint8_t>(c.zero);
  Tile tiles[winograd_block(16)];  // no fewer channels
  const int64_t block = winograd_block(s.in_c);
  int64_t count = 0;
  const auto run = [&] {
    multiply_block<Dot>(c, part, v, tiles, count);
    count = 0;
  };
  for (int64_t n = part.image_begin; n < part.image_end; ++n) {
    for (int64_t i = part.row_begin; i < part.row_end; i += 2) {
      for (int64_t j = 0; j < s.out_w; j += 2) {
        const int64_t pixel = (n * s.out_h + i) * s.out_w + j;
        const bool down = i + 1 < part.row_end, right = j + 1 < s.out_w;
        Tile& t = tiles[count];
        t = {{pixel, right ? pixel + 1 : -1, down ? pixel + s.out_w : -1, down && right ? pixel + s.out_w + 1 : -1},
             n,
             i - s.pad,
             j - s.pad};
        transform_input(c, t, outside, count % kTiles, v + count / kTiles * kTiles * 16 * s.in_c);
        if (++count == block) run();
      }
    }
  }
  if (count > 0) run();
}

}  // namespace

void winograd(const Conv& c, const Part& part, uint8_t* scratch) { winograd_by<Widened>(c, part, scratch); }

}  // namespace ntq::integer::NTQ_ISA
