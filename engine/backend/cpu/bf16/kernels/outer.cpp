// Filter gradient as sums of outer products of pairs of rows (pixels). Both operands of a block of rows are interleaved
// first: dy for all of it, the windows run by run and panel by panel, which then stays in L1 while the register tile,
// up to kTile output channels by one panel, passes over them.
#include "engine/backend/cpu/bf16/kernels/gather.h"
#include "engine/backend/cpu/bf16/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

constexpr int64_t kPairs = 128;  // of one block
constexpr int64_t kBlock = 2 * kPairs;

struct Memory {
  int64_t panel, edges, patches, zeros, bytes;  // behind the interleaved dy
};
int64_t pitch_of(const Windows& s) { return s.run() + 2 * kSlack; }
Memory memory_of(const Outer& p, int64_t co_count) {
  constexpr int64_t kSize = sizeof(BFloat16);
  Memory m{};
  m.panel = (kBlock * co_count + 2 * kSlack) * kSize;
  m.edges = m.panel + kBlock * kPanel * kSize;
  m.patches = m.edges + kBlock * pitch_of(p.x) * kSize;
  m.zeros = m.patches + (p.x.unfolded ? kBlock * pitch_of(p.x) * kSize : 0);
  const int64_t widest = pitch_of(p.x) > p.dy_c ? pitch_of(p.x) : p.dy_c;
  m.bytes = m.zeros + (widest + 2 * kSlack) * kSize;
  return m;
}
int64_t outer_scratch(const Outer& p, const OuterRange& range) { return memory_of(p, range.co_end - range.co).bytes; }

/// Even tiles: 64 channels go as six of 11 and 10, so that none is too low to hide the latency of its sums.
struct Tiles {
  int64_t co, count, tiles;
  int64_t begin(int64_t k) const { return co + count * k / tiles; }
};

/// To {tiles, pairs, channels of a tile, 2}; rows from `row` on.
void interleave_dy(const Outer& p, const Tiles& tiles, int64_t row, int64_t rows, const BFloat16* zeros, BFloat16* to) {
  const int64_t pairs = (rows + 1) / 2;
  const Extent<BFloat16> extent{p.dy, p.dy + p.x.rows() * p.dy_c};
  for (int64_t k = 0; k < tiles.tiles; ++k) {
    const int64_t co = tiles.begin(k), m = tiles.begin(k + 1) - co;
    for (int64_t i = 0; i < pairs; ++i, to += 2 * m) {
      const BFloat16* first = p.dy + (row + 2 * i) * p.dy_c + co;
      const BFloat16* second = 2 * i + 1 < rows ? first + p.dy_c : zeros;
      // Beyond m lies what the next pair, or tile, overwrites.
      for (int64_t c = 0; c < m; c += kWidth)
        store_pairs(to + 2 * c, interleaved(extent, first + c, second + c, m - c));
    }
  }
}

/// Columns [first, first + n) of a block of rows, to {pairs, kPanel, 2}.
template <int V, class T>
void interleave_panel(const Extent<T>& extent, const T* const* rows, int64_t pairs, int64_t first, int64_t n,
                      BFloat16* to) {
  for (int64_t i = 0; i < pairs; ++i, to += 2 * kPanel) {
    for (int v = 0; v < V; ++v) {
      const int64_t c = v * kWidth;
      store_pairs(to + 2 * c, interleaved(extent, rows[2 * i] + first + c, rows[2 * i + 1] + first + c, n - c));
    }
  }
}

/// sums {M, kPanel} += over pairs of dy {pairs, M, 2} x panel {pairs, kPanel, 2}.
template <int M, int V>
void tile(int64_t pairs, const BFloat16* dy, const BFloat16* panel, float* sums) {
  Tile<M, V> tile;
  tile.load_rows(sums);
  for (int64_t i = 0; i < pairs; ++i, dy += 2 * M, panel += 2 * kPanel)
    tile.add(
        [&](auto m) __attribute__((always_inline)) { return dy + 2 * m.value; }, panel);
  tile.store_rows(sums);
}

template <class T>
void unfold(const Windows& s, int64_t row, int64_t rows, const T* zeros, T* edges, BFloat16* patches) {
  const Extent<T> extent = extent_of<T>(s);
  const int64_t n = s.taps_w * s.c, pitch = pitch_of(s);
  for (int64_t t = 0; t < s.taps_h; ++t) {
    const T* from[kBlock];
    gather(s, t, 0, n, row, row + rows, zeros, edges, pitch, from);
    for (int64_t i = 0; i < rows; ++i) copy_run(extent, from[i], n, patches + i * pitch + t * n);
  }
}

/// The tiles of panels [panel, panel_end) of one run, of which rows[] point to `run` values.
template <class T>
void add_panels(const Outer& p, const Tiles& tiles, const Extent<T>& extent, const T* const* rows, int64_t pairs,
                int64_t panel, int64_t panel_end, int64_t run, const BFloat16* dy, BFloat16* packed, float* sums) {
  for (int64_t k = panel; k < panel_end; ++k, sums += p.dy_c * kPanel) {
    const int64_t n = least(run - k * kPanel, kPanel);
    if (n > kWidth) {
      interleave_panel<kVecs>(extent, rows, pairs, k * kPanel, n, packed);
    } else {
      interleave_panel<1>(extent, rows, pairs, k * kPanel, n, packed);
    }
    for (int64_t t = 0; t < tiles.tiles; ++t) {
      const int64_t co = tiles.begin(t), m = tiles.begin(t + 1) - co;
      const BFloat16* from = dy + (co - tiles.co) * pairs * 2;
      with_tile(m, n, [&](auto tile_rows, auto vecs) {
        tile<tile_rows.value, vecs.value>(pairs, from, packed, sums + co * kPanel);
      });
    }
  }
}

template <class T>
void outer_of(const Outer& p, const OuterRange& range, float* sums, char* scratch) {
  const Windows& s = p.x;
  const int64_t co_count = range.co_end - range.co, run = s.run(), panels = ceil_div(run, kPanel);
  if (co_count == 0 || run == 0) return;
  const Memory m = memory_of(p, co_count);
  const Tiles tiles{range.co, co_count, ceil_div(co_count, kTile)};
  auto* const dy = reinterpret_cast<BFloat16*>(scratch);
  auto* const packed = reinterpret_cast<BFloat16*>(scratch + m.panel);
  auto* const patches = reinterpret_cast<BFloat16*>(scratch + m.patches);
  auto* const edges = reinterpret_cast<T*>(scratch + m.edges);
  __builtin_memset(scratch + m.zeros, 0, static_cast<size_t>(m.bytes - m.zeros));
  const auto* const zeros = reinterpret_cast<const BFloat16*>(scratch + m.zeros);
  const auto* const no_codes = reinterpret_cast<const T*>(zeros);

  for (int64_t r0 = range.row; r0 < range.row_end; r0 += kBlock) {
    const int64_t rows = least(kBlock, range.row_end - r0), pairs = (rows + 1) / 2;
    interleave_dy(p, tiles, r0, rows, zeros, dy);
    if (s.unfolded) unfold(s, r0, rows, no_codes, edges, patches);
    for (int64_t k = range.panel; k < range.panel_end;) {
      const int64_t line = k / panels, first = k % panels, last = least(panels, first + range.panel_end - k);
      float* const to = sums + k * p.dy_c * kPanel;
      if (s.unfolded) {
        const BFloat16* from[kBlock];
        for (int64_t i = 0; i < rows; ++i) from[i] = patches + i * pitch_of(s);
        if (rows % 2) from[rows] = zeros;
        add_panels(p, tiles, Extent<BFloat16>{zeros, zeros}, from, pairs, first, last, run, dy, packed, to);
      } else {
        const T* from[kBlock];
        gather(s, line, 0, run, r0, r0 + rows, no_codes, edges, pitch_of(s), from);
        if (rows % 2) from[rows] = no_codes;
        add_panels(p, tiles, extent_of<T>(s), from, pairs, first, last, run, dy, packed, to);
      }
      k += last - first;
    }
  }
}

void outer(const Outer& p, const OuterRange& range, float* sums, void* scratch) {
  char* const memory = static_cast<char*>(scratch);
  switch (p.x.type) {
    case DType::u8: return outer_of<uint8_t>(p, range, sums, memory);
    case DType::i8: return outer_of<int8_t>(p, range, sums, memory);
    default: return outer_of<BFloat16>(p, range, sums, memory);
  }
}

}  // namespace

void fill_outer(Kernels& t) {
  t.outer = outer;
  t.outer_scratch = outer_scratch;
}

}  // namespace ntq::bf16::NTQ_ISA
