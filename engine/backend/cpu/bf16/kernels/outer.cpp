// Filter gradient as sums of outer products of pairs of rows (pixels). Both operands of a block of rows are interleaved
// first: dy for all of it, the windows run by run and panel by panel, which then stays in L1 while the register tile,
// up to kTile output channels by one panel, passes over them.
#include "engine/backend/cpu/bf16/kernels/gather.h"
#include "engine/backend/cpu/bf16/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

constexpr int64_t kPairs = 128;  // of one block
constexpr int64_t kBlock = 2 * kPairs;
constexpr int64_t kBlockChannels = kTile * 8;
constexpr int64_t kPanels = 4;  // interleaved together, so that neighbours are read together
constexpr int64_t kPanelSize = kBlock * kPanel + 2 * kPanel;  // not a power of two, which would share cache sets

/// Channels [co, co_end) of dy as they lie interleaved: blocks of up to kBlockChannels, each {pairs, stride, 2}.
struct Channels {
  int64_t co, co_end;
  int64_t blocks() const { return ceil_div(co_end - co, kBlockChannels); }
  int64_t begin(int64_t block) const { return co + block * kBlockChannels; }
  int64_t count(int64_t block) const { return least(kBlockChannels, co_end - begin(block)); }
  /// Whole vectors, an odd number of them: rows of the register tile are read at this stride.
  int64_t stride(int64_t block) const { return (ceil_div(count(block), kWidth) | 1) * kWidth; }
  int64_t place(int64_t block) const { return block * kBlock * ((kBlockChannels / kWidth | 1) * kWidth); }
  /// Even tiles: 64 channels go as six of 11 and 10, so that none is too low to hide the latency of its sums.
  int64_t tiles(int64_t block) const { return ceil_div(count(block), kTile); }
  int64_t all_tiles() const { return ceil_div(co_end - co, kTile); }
};

struct Memory {
  int64_t panel, edges, patches, zeros, bytes;  // behind the interleaved dy
};
int64_t pitch_of(const Windows& s) { return s.run() + 2 * kSlack; }
Memory memory_of(const Outer& p, int64_t co_count) {
  constexpr int64_t kSize = sizeof(BFloat16);
  Memory m{};
  m.panel = Channels{0, co_count}.place(Channels{0, co_count}.blocks()) * kSize;
  m.edges = m.panel + kPanels * kPanelSize * kSize;
  m.patches = m.edges + kBlock * pitch_of(p.x) * kSize;
  m.zeros = m.patches + (p.x.unfolded ? kBlock * pitch_of(p.x) * kSize : 0);
  const int64_t widest = pitch_of(p.x) > p.dy_c ? pitch_of(p.x) : p.dy_c;
  m.bytes = m.zeros + (widest + 2 * kSlack) * kSize;
  return m;
}
int64_t outer_scratch(const Outer& p, const OuterRange& range) { return memory_of(p, range.co_end - range.co).bytes; }

/// Memory of the block to come, asked for bit by bit while this one is computed.
struct Ahead {
  const char* at;
  const char* end;
  int64_t bytes;  // at a time
  void ask() {
    for (const char* stop = end - at > bytes ? at + bytes : end; at < stop; at += 64) __builtin_prefetch(at, 0, 2);
  }
};
Ahead ahead_of(const BFloat16* rows, int64_t count, int64_t times) {
  const auto* at = reinterpret_cast<const char*>(rows);
  const int64_t bytes = count * static_cast<int64_t>(sizeof *rows);
  return {at, at + bytes, ceil_div(bytes, times)};
}

/// Rows from `row` on.
void interleave_dy(const Outer& p, const Channels& channels, int64_t row, int64_t rows, const BFloat16* zeros,
                   BFloat16* to) {
  const Extent extent{p.dy, p.dy + p.x.rows() * p.dy_c};
  const int64_t blocks = channels.blocks();
  for (int64_t i = 0; 2 * i < rows; ++i) {
    const BFloat16* first = p.dy + (row + 2 * i) * p.dy_c + channels.co;
    const BFloat16* second = 2 * i + 1 < rows ? first + p.dy_c : zeros;
    for (int64_t b = 0; b < blocks; ++b, first += kBlockChannels, second += kBlockChannels) {
      const int64_t n = channels.count(b);
      BFloat16* out = to + channels.place(b) + i * 2 * channels.stride(b);
      for (int64_t c = 0; c < n; c += kWidth)
        store_pairs(out + 2 * c, interleaved(extent, first + c, second + c, n - c));
    }
  }
}

/// Columns [first, first + n) of a block of rows, to {panels, pairs, kPanel, 2}.
void interleave_panels(const Extent& extent, const BFloat16* const* rows, int64_t pairs, int64_t first, int64_t n,
                       BFloat16* to) {
  for (int64_t i = 0; i < pairs; ++i, to += 2 * kPanel) {
    const BFloat16 *even = rows[2 * i] + first, *odd = rows[2 * i + 1] + first;
    BFloat16* out = to;
    for (int64_t c = 0; c < n; c += kPanel, out += kPanelSize) {
      for (int64_t v = 0; v < kPanel && c + v < n; v += kWidth)
        store_pairs(out + 2 * v, interleaved(extent, even + c + v, odd + c + v, n - c - v));
    }
  }
}

/// sums {M, kPanel} += over pairs of dy {pairs, stride, 2}, its first M, x panel {pairs, kPanel, 2}.
template <int M, int V>
void tile(int64_t pairs, const BFloat16* dy, int64_t stride, const BFloat16* panel, float* sums) {
  Tile<M, V> tile;
  tile.load_rows(sums);
  for (int64_t i = 0; i < pairs; ++i, dy += 2 * stride, panel += 2 * kPanel)
    tile.add(
        [&](auto m) __attribute__((always_inline)) { return dy + 2 * m.value; }, panel);
  tile.store_rows(sums);
}

/// The tiles of panels [panel, panel_end) of one run, of which rows[] point to `run` values.
void add_panels(const Outer& p, const Channels& channels, const Extent& extent, const BFloat16* const* rows,
                int64_t pairs, int64_t panel, int64_t panel_end, int64_t run, const BFloat16* dy, BFloat16* packed,
                float* sums, Ahead* ahead) {
  for (int64_t k0 = panel; k0 < panel_end; k0 += kPanels) {
    const int64_t k_end = least(panel_end, k0 + kPanels);
    interleave_panels(extent, rows, pairs, k0 * kPanel, least(run, k_end * kPanel) - k0 * kPanel, packed);
    for (int64_t k = k0; k < k_end; ++k, sums += p.dy_c * kPanel) {
      const BFloat16* const of_panel = packed + (k - k0) * kPanelSize;
      for (int64_t block = 0; block < channels.blocks(); ++block) {
        const int64_t count = channels.count(block), tiles = channels.tiles(block);
        for (int64_t t = 0; t < tiles; ++t) {
          const int64_t co = count * t / tiles, m = count * (t + 1) / tiles - co;
          ahead[0].ask(), ahead[1].ask();
          with_tile(m, least(run - k * kPanel, kPanel), [&](auto tile_rows, auto vecs) {
            tile<tile_rows.value, vecs.value>(pairs, dy + channels.place(block) + 2 * co, channels.stride(block),
                                              of_panel, sums + (channels.begin(block) + co) * kPanel);
          });
        }
      }
    }
  }
}

void outer(const Outer& p, const OuterRange& range, float* sums, void* memory) {
  char* const scratch = static_cast<char*>(memory);
  const Windows& s = p.x;
  const int64_t co_count = range.co_end - range.co, run = s.run(), panels = ceil_div(run, kPanel);
  if (co_count == 0 || run == 0) return;
  const Memory m = memory_of(p, co_count);
  const Channels channels{range.co, range.co_end};
  auto* const dy = reinterpret_cast<BFloat16*>(scratch);
  auto* const packed = reinterpret_cast<BFloat16*>(scratch + m.panel);
  auto* const patches = reinterpret_cast<BFloat16*>(scratch + m.patches);
  auto* const edges = reinterpret_cast<BFloat16*>(scratch + m.edges);
  __builtin_memset(scratch + m.zeros, 0, static_cast<size_t>(m.bytes - m.zeros));
  const auto* const zeros = reinterpret_cast<const BFloat16*>(scratch + m.zeros);

  for (int64_t r0 = range.row; r0 < range.row_end; r0 += kBlock) {
    const int64_t rows = least(kBlock, range.row_end - r0), pairs = (rows + 1) / 2;
    interleave_dy(p, channels, r0, rows, zeros, dy);
    // Of windows only those of one pixel lie as they are needed; the others come from few lines of the images.
    const int64_t next = r0 + rows, more = least(kBlock, range.row_end - next);
    const int64_t times = channels.all_tiles() * (range.panel_end - range.panel),
                  pixels = s.h == 1 && s.taps_w == 1 ? more : 0;
    Ahead ahead[2] = {ahead_of(p.dy + next * p.dy_c, more * p.dy_c, times),
                      ahead_of(s.x + next * s.c, pixels * s.c, times)};
    if (s.unfolded) unfold(s, r0, r0 + rows, patches, pitch_of(s));
    for (int64_t k = range.panel; k < range.panel_end;) {
      const int64_t line = k / panels, first = k % panels, last = least(panels, first + range.panel_end - k);
      float* const to = sums + k * p.dy_c * kPanel;
      const BFloat16* from[kBlock];
      Extent extent{zeros, zeros};
      if (s.unfolded) {
        for (int64_t i = 0; i < rows; ++i) from[i] = patches + i * pitch_of(s);
      } else {
        gather(s, line, 0, run, r0, r0 + rows, zeros, edges, pitch_of(s), from);
        extent = {s.x, s.x_end};
      }
      if (rows % 2) from[rows] = zeros;
      add_panels(p, channels, extent, from, pairs, first, last, run, dy, packed, to, ahead);
      k += last - first;
    }
  }
}

}  // namespace

void fill_outer(Kernels& t) {
  t.outer = outer;
  t.outer_scratch = outer_scratch;
}

}  // namespace ntq::bf16::NTQ_ISA
