#pragma once
// Direct sums, of codes and of floats. Pixels whose taps inside the input are the same go into a tile together,
// whatever image or row they are of: no tap outside is computed, nothing is copied, and a row of taps is one run of
// bytes in the input. All sums of an output are one chain, in the order of the filter. All names have internal linkage.
#include "base/integer/kernels/dot.h"
#include "base/integer/kernels/epilogue.h"

namespace ntq::integer::NTQ_ISA {
namespace {

#ifdef __AVX512BW__
constexpr int kTile = 12;  // pixels
#else
constexpr int kTile = 6;
#endif
constexpr int kVecs = 2;       // vectors of output channels in a tile
constexpr int kFewPixels = 3;  // so many take more vectors: sums that wait for each other leave the units idle
constexpr int kManyVecs = 4;   //
constexpr int kPanels = 2;     // whose weights are used together
constexpr int kPanelVecs = kPanel / kInts;
constexpr int64_t kBlock = 256;  // pixels that a panel of weights is used for while it is in cache

/// What these loops need of a convolution. A quad is what one product of Dot takes: four codes, or one float.
struct Direct {
  ConvShape shape;             // in_c in bytes
  int64_t quads;               // of a pixel of the input, those that are read
  const uint8_t* x;            // of image number
  int64_t first_image;         //
  const int8_t* weights;       // {panel, tap, quads, kPanel, kQuad bytes}
  const int32_t* start;        // null: 0
  const int32_t* window_sums;  // null: none
  bool shift_by_taps;
  int64_t shorts;  // how many sums of four products 16 bits hold
  const Epilogue* epilogue;
  FinishTile* finish;
};
constexpr int32_t kNoStart[kPanels * kPanel] = {};

/// A tile's part of the sums: rows of taps, each a run of quads in x and in the packed weights. Where not all of a
/// pixel is read, each tap is a run.
struct Run {
  const uint8_t* x;
  int64_t first;  // of x: where the first row of taps begins; pixel i's is offsets[i] further
  const int8_t* w;
  int64_t rows, x_pitch, w_pitch, panel_pitch, quads;
  int64_t columns, column_pitch;  // runs of a row
  int64_t shorts;
  const int32_t* start;  // of a tile's channels
};

template <int M, int V>
[[gnu::always_inline]] inline void clear(Ints (&acc)[M][V]) {
  unrolled<M>([&](auto m) { unrolled<V>([&](auto v) { acc[m][v] = Ints{}; }); });
}
/// To {panel, kTile, kPanel}: stored, or added after widening.
template <bool kShort, int M, int V>
[[gnu::always_inline]] inline void put(const Ints (&acc)[M][V], int32_t* sums) {
  unrolled<M>([&](auto m) {
    unrolled<V>([&](auto v) {
      int32_t* to = sums + (v / kPanelVecs * kTile + m) * kPanel + v % kPanelVecs * kInts;
      if constexpr (kShort) {
        store(to, load(to) + widen(acc[m][v]));
      } else {
        store(to, acc[m][v]);
      }
    });
  });
}

/// Sums of M pixels and V vectors of channels, which may be of two panels: {panel, kTile, kPanel}.
template <class Dot, int M, int V>
[[gnu::noinline]] void tile(const Run& run, const int64_t* offsets, int32_t* sums) {
  Ints acc[M][V];
  unrolled<V>([&](auto v) {
    const Ints start = load(run.start + v * kInts);
    unrolled<M>([&](auto m) { acc[m][v] = start; });
  });
  if constexpr (Dot::kShort) {
    put<false, M, V>(acc, sums);
    clear<M, V>(acc);
  }
  int64_t room = run.shorts;
  for (int64_t row = 0; row < run.rows; ++row) {
    const uint8_t* x[M];
    unrolled<M>([&](auto m) { x[m] = run.x + (run.first + row * run.x_pitch + offsets[m]); });
    const int8_t* w = run.w + row * run.w_pitch;
    const int64_t columns = Dot::kFloats ? run.columns : 1;
    for (int64_t column = 0; column < columns; ++column) {
      for (int64_t q = 0; q < run.quads;) {
        int64_t stop = run.quads;
        if constexpr (Dot::kShort) {
          if (room == 0) {
            put<true, M, V>(acc, sums);
            clear<M, V>(acc);
            room = run.shorts;
          }
          if (stop - q > room) stop = q + room;
          room -= stop - q;
        }
        for (; q < stop; ++q, w += kPanel * kQuad) {
          typename Dot::W wide[V];
          unrolled<V>(
              [&](auto v) { wide[v] = Dot::w(w + v / kPanelVecs * run.panel_pitch + v % kPanelVecs * kInts * kQuad); });
          unrolled<M>([&](auto m) {
            const typename Dot::X four = Dot::x(x[m] + q * kQuad);
            unrolled<V>([&](auto v) { acc[m][v] = Dot::dot(acc[m][v], four, wide[v]); });
          });
        }
      }
      if constexpr (Dot::kFloats) unrolled<M>([&](auto m) { x[m] += run.column_pitch; });
    }
  }
  put<Dot::kShort, M, V>(acc, sums);
}

/// By a tile of so many pixels or a few more, which are the last one again: not all sizes are compiled.
template <class Dot, int V, int M = V == kManyVecs ? kFewPixels : Dot::kPixels>
inline void tile_of(int64_t pixels, const Run& run, const int64_t* offsets, int32_t* sums) {
  constexpr int kLess = V == 1 ? M / 2 : M > 6 ? M - 2 : M - 1;
  if constexpr (kLess > 0) {
    if (pixels <= kLess) return tile_of<Dot, V, kLess>(pixels, run, offsets, sums);
  }
  if (pixels == M) return tile<Dot, M, V>(run, offsets, sums);
  int64_t filled[M];
  for (int64_t m = 0; m < M; ++m) filled[m] = offsets[m < pixels ? m : pixels - 1];
  tile<Dot, M, V>(run, filled, sums);
}

/// A tile's sums for `channels` channels.
template <class Dot>
inline void sum_tile(int64_t pixels, int64_t channels, Run run, const int64_t* offsets, int32_t* sums) {
  constexpr int64_t kMany = kManyVecs * kInts, kTwo = kVecs * kInts;
  for (int64_t o = 0; o < channels;) {
    Run strip = run;
    strip.w += o / kPanel * run.panel_pitch + o % kPanel * kQuad;
    strip.start += o;
    int32_t* to = sums + o / kPanel * kTile * kPanel + o % kPanel;
    if (pixels <= kFewPixels && channels - o > kMany - kTwo && o % kMany == 0) {
      tile_of<Dot, kManyVecs>(pixels, strip, offsets, to);
      o += kMany;
    } else if (channels - o > kInts) {
      tile_of<Dot, kVecs>(pixels, strip, offsets, to);
      o += kTwo;
    } else {
      tile_of<Dot, 1>(pixels, strip, offsets, to);
      o += kInts;
    }
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
void conv_group(const Direct& c, const Block& b, const Group& g, const uint8_t* images, int64_t panel, int64_t panels) {
  const ConvShape& s = c.shape;
  const int64_t width = (s.out_c + kPanel - 1) / kPanel * kPanel, at = panel * kPanel;
  const int64_t first_tap = g.rows.first * s.kernel_w + g.columns.first, taps = s.kernel_h * s.kernel_w;
  const int64_t tap_bytes = c.quads * kQuad, columns = g.columns.last - g.columns.first;
  const bool whole = tap_bytes == s.in_c;
  const Run run = {.x = images,
                   .first = ((g.rows.first - s.pad) * s.in_w + g.columns.first - s.pad) * s.in_c,
                   .w = c.weights + (panel * taps + first_tap) * tap_bytes * kPanel,
                   .rows = g.rows.last - g.rows.first,
                   .x_pitch = s.in_w * s.in_c,
                   .w_pitch = s.kernel_w * tap_bytes * kPanel,
                   .panel_pitch = taps * tap_bytes * kPanel,
                   .quads = whole ? columns * c.quads : c.quads,
                   .columns = whole ? 1 : columns,
                   .column_pitch = s.in_c,
                   .shorts = c.shorts,
                   .start = c.start == nullptr ? kNoStart : c.start + g.number * width + at};
  TileEnd end = {.finish = c.finish,
                 .e = c.epilogue,
                 .channels = s.out_c,
                 .at = at,
                 .scale = c.epilogue->scale,
                 .shift = c.epilogue->shift + (c.shift_by_taps ? g.number * width : 0),
                 .window_sums = c.window_sums};
  const int64_t pixels = g.end - g.begin, tiles = (pixels + Dot::kPixels - 1) / Dot::kPixels;
  const int64_t channels = s.out_c - at < panels * kPanel ? s.out_c - at : panels * kPanel;
  alignas(64) int32_t sums[kPanels * kTile * kPanel];
  for (int64_t t = 0; t < tiles; ++t) {  // of nearly equal size
    const int64_t first = g.begin + t * pixels / tiles, count = g.begin + (t + 1) * pixels / tiles - first;
    sum_tile<Dot>(count, channels, run, b.offsets + first, sums);
    for (int64_t k = 0; k < panels; ++k) {
      end.at = at + k * kPanel;
      end.finish(end, sums + k * kTile * kPanel, b.pixels + first, count);
    }
  }
}

/// A part and columns of it, at most kBlock pixels.
template <class Dot>
void conv_block(const Direct& c, const Part& part, int64_t column_begin, int64_t column_end) {
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
  const uint8_t* images = c.x + (part.image_begin - c.first_image) * s.in_h * s.in_w * s.in_c;
  for (int64_t panel = part.panel_begin; panel < part.panel_end; panel += kPanels) {
    const int64_t panels = part.panel_end - panel < kPanels ? part.panel_end - panel : kPanels;
    for (int64_t k = 0; k < count; ++k) conv_group<Dot>(c, block, groups[k], images, panel, panels);
  }
}

template <class Dot>
void conv_by(const Direct& c, const Part& part) {
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
}  // namespace ntq::integer::NTQ_ISA
