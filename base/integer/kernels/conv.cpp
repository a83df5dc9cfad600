// Direct sums of codes. Pixels whose taps inside the input are the same go into a tile together, whatever image or row they
// are of: no tap outside is computed, nothing is copied, and a row of taps is one run of bytes in the input.
#include "base/integer/kernels/dot.h"
#include "base/integer/kernels/epilogue.h"
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

constexpr int kTile = 6;                          // pixels
constexpr int kVecs = kPanel / kInts < 2 ? 1 : 2;  // vectors of output channels
constexpr int kStrip = kVecs * kInts;             // channels: a panel is done strip by strip
constexpr int64_t kBlock = 256;                   // pixels that a panel of weights is used for while it is in cache

/// A tile's part of the sums: rows of taps, each a run of quads in x and in the packed weights.
struct Run {
  const uint8_t* x;
  int64_t first;  // of x: where the first row of taps begins; pixel i's is offsets[i] further
  const int8_t* w;
  int64_t rows, x_pitch, w_pitch, quads;
};

template <class Dot, int M>
void tile(const Run& run, const int64_t* offsets, int32_t* sums) {
  Ints acc[M][kVecs];
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < kVecs; ++v) acc[m][v] = Ints{};
  }
  for (int64_t row = 0; row < run.rows; ++row) {
    const uint8_t* x[M];
    for (int m = 0; m < M; ++m) x[m] = run.x + (run.first + row * run.x_pitch + offsets[m]);
    const int8_t* w = run.w + row * run.w_pitch;
    for (int64_t q = 0; q < run.quads; ++q, w += kPanel * kQuad) {
      typename Dot::W wide[kVecs];
      for (int v = 0; v < kVecs; ++v) wide[v] = Dot::w(w + v * kInts * kQuad);
      for (int m = 0; m < M; ++m) {
        const typename Dot::X four = Dot::x(x[m] + q * kQuad);
        for (int v = 0; v < kVecs; ++v) acc[m][v] = Dot::dot(acc[m][v], four, wide[v]);
      }
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < kVecs; ++v) store(sums + m * kPanel + v * kInts, acc[m][v]);
  }
}

template <class Dot, int M = kTile>
inline void tile_of(int64_t pixels, const Run& run, const int64_t* offsets, int32_t* sums) {
  if (pixels == M) {
    tile<Dot, M>(run, offsets, sums);
  } else if constexpr (M > 1) {
    tile_of<Dot, M - 1>(pixels, run, offsets, sums);
  }
}

/// Output pixels of a block that have the same taps inside.
struct Group {
  int64_t begin, end;  // in the block's list
  TapRun rows, columns;
  int64_t number;  // of the set of taps
};

/// Pixels of some rows and columns of some images, by their taps.
struct Block {
  int64_t offsets[kBlock];  // of the first tap, from that of the block's first image
  int64_t pixels[kBlock];   // numbers in the output
  int64_t count = 0;
};

void list_pixels(const ConvShape& s, int64_t images, const Group& g, int64_t first_pixel, Block& b) {
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t i = g.rows.begin; i < g.rows.end; ++i) {
      for (int64_t j = g.columns.begin; j < g.columns.end; ++j) {
        b.offsets[b.count] = ((n * s.in_h + i * s.stride) * s.in_w + j * s.stride) * s.in_c;
        b.pixels[b.count++] = first_pixel + (n * s.out_h + i) * s.out_w + j;
      }
    }
  }
}

template <class Dot>
void conv_group(const Conv& c, const Block& b, const Group& g, const uint8_t* images, int64_t panel) {
  const ConvShape& s = c.shape;
  const int64_t width = (s.out_c + kPanel - 1) / kPanel * kPanel, at = panel * kPanel;
  const TileEnd end = {.e = &c.epilogue,
                       .channels = s.out_c,
                       .at = at,
                       .start = c.start == nullptr ? nullptr : c.start + g.number * width + at,
                       .scale = c.epilogue.scale + at,
                       .shift = c.epilogue.shift + (c.shift_by_taps ? g.number * width : 0) + at,
                       .shift_right = 0};
  const int64_t first_tap = g.rows.first * s.kernel_w + g.columns.first;
  Run run = {.x = images,
             .first = ((g.rows.first - s.pad) * s.in_w + g.columns.first - s.pad) * s.in_c,
             .w = c.weights + (panel * s.kernel_h * s.kernel_w + first_tap) * s.in_c * kPanel,
             .rows = g.rows.last - g.rows.first,
             .x_pitch = s.in_w * s.in_c,
             .w_pitch = s.kernel_w * s.in_c * kPanel,
             .quads = (g.columns.last - g.columns.first) * s.in_c / kQuad};
  const int64_t pixels = g.end - g.begin, tiles = (pixels + kTile - 1) / kTile;
  alignas(64) int32_t sums[kTile * kPanel];
  for (int64_t t = 0; t < tiles; ++t) {  // of nearly equal size
    const int64_t first = g.begin + t * pixels / tiles, count = g.begin + (t + 1) * pixels / tiles - first;
    Run strip = run;
    for (int64_t o = 0; o < kPanel && at + o < s.out_c; o += kStrip, strip.w += kStrip * kQuad)
      tile_of<Dot>(count, strip, b.offsets + first, sums + o);
    finish(end, sums, b.pixels + first, count);
  }
}

/// A part and columns of it, at most kBlock pixels.
template <class Dot>
void conv_block(const Conv& c, const Part& part, int64_t column_begin, int64_t column_end) {
  const ConvShape& s = c.shape;
  const Axis rows = s.rows(), columns = s.columns();
  constexpr int64_t kMostGroups = kBlock;
  Group groups[kMostGroups];
  Block block;
  int64_t count = 0, row_number = 0;
  const int64_t column_runs = run_count(columns), first_pixel = part.image_begin * s.out_h * s.out_w;
  for (int64_t i = 0; i < part.row_end; ++row_number) {
    TapRun row = run_at(rows, i);
    i = row.end;
    if (row.end <= part.row_begin) continue;
    if (row.begin < part.row_begin) row.begin = part.row_begin;
    if (row.end > part.row_end) row.end = part.row_end;
    int64_t column_number = 0;
    for (int64_t j = 0; j < column_end; ++column_number) {
      TapRun column = run_at(columns, j);
      j = column.end;
      if (column.end <= column_begin) continue;
      if (column.begin < column_begin) column.begin = column_begin;
      if (column.end > column_end) column.end = column_end;
      Group& g = groups[count++];
      g = {block.count, 0, row, column, row_number * column_runs + column_number};
      list_pixels(s, part.image_end - part.image_begin, g, first_pixel, block);
      g.end = block.count;
    }
  }
  const uint8_t* images = c.x + part.image_begin * s.in_h * s.in_w * s.in_c;
  for (int64_t panel = part.panel_begin; panel < part.panel_end; ++panel) {
    for (int64_t k = 0; k < count; ++k) conv_group<Dot>(c, block, groups[k], images, panel);
  }
}

template <class Dot>
void conv_by(const Conv& c, const Part& part) {
  const ConvShape& s = c.shape;
  const int64_t columns = s.out_w < kBlock ? s.out_w : kBlock, lines = part.row_end - part.row_begin;
  const int64_t rows = lines < kBlock / columns ? lines : kBlock / columns;
  const int64_t images = rows == lines && columns == s.out_w ? kBlock / (rows * columns) : 1;
  Part block = part;
  for (int64_t n = part.image_begin; n < part.image_end; n += images) {
    block.image_begin = n;
    block.image_end = n + images < part.image_end ? n + images : part.image_end;
    for (int64_t i = part.row_begin; i < part.row_end; i += rows) {
      block.row_begin = i;
      block.row_end = i + rows < part.row_end ? i + rows : part.row_end;
      for (int64_t j = 0; j < s.out_w; j += columns)
        conv_block<Dot>(c, block, j, j + columns < s.out_w ? j + columns : s.out_w);
    }
  }
}

}  // namespace

void conv(const Conv& c, const Part& part) { conv_by<Widened>(c, part); }

}  // namespace ntq::integer::NTQ_ISA
