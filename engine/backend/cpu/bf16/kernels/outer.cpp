// Filter gradient as sums of outer products of pairs of rows (pixels). Both operands of a block of rows are interleaved
// first: dy for all of it, the windows run by run and panel by panel, which then stays in L1 while the register tile,
// up to kTile output channels by one panel, passes over them. Interleaving is short, and waits for memory unless that
// was asked for before.
#include "engine/backend/cpu/bf16/kernels/gather.h"
#include "engine/backend/cpu/bf16/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

constexpr int64_t kPairs = 128;  // of one block
constexpr int64_t kBlock = 2 * kPairs;
constexpr int64_t kBlockChannels = kTile * 8;
constexpr int64_t kLine = 16;  // floats of a cache line

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
  int64_t panel, rows[2], zeros, bytes;  // behind the interleaved dy
};
int64_t pitch_of(const Windows& s) { return s.run() + 2 * kSlack; }
Memory memory_of(const Outer& p, int64_t co_count) {
  constexpr int64_t kSize = sizeof(BFloat16);
  Memory m{};
  m.panel = Channels{0, co_count}.place(Channels{0, co_count}.blocks()) * kSize;
  m.rows[0] = m.panel + kBlock * kPanel * kSize;
  m.rows[1] = m.rows[0] + kBlock * pitch_of(p.x) * kSize;
  m.zeros = m.rows[1] + kBlock * pitch_of(p.x) * kSize;
  const int64_t widest = pitch_of(p.x) > p.dy_c ? pitch_of(p.x) : p.dy_c;
  m.bytes = m.zeros + (widest + 2 * kSlack) * kSize;
  return m;
}
int64_t outer_scratch(const Outer& p, const OuterRange& range) { return memory_of(p, range.co_end - range.co).bytes; }

/// What comes next, asked for while a tile is computed, some of it for each pair: dy of the next block, in its order,
/// and of the rows that the next panel is interleaved from the even, or the odd ones.
struct Ahead {
  const char* dy;
  int64_t dy_step;
  const BFloat16* const* rows;
  int64_t column;
};

/// Pairs of rows that are added to sums, or are the first of them.
struct Block {
  int64_t pairs;
  bool first;
};

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
      interleave(extent, first, second, n, to + channels.place(b) + i * 2 * channels.stride(b));
    }
  }
}

/// Columns [first, first + n) of a block of rows, to {pairs, kPanel, 2}.
void interleave_panel(const Extent& extent, const BFloat16* const* rows, int64_t pairs, int64_t first, int64_t n,
                      BFloat16* to) {
  for (int64_t i = 0; i < pairs; ++i, to += 2 * kPanel)
    interleave(extent, rows[2 * i] + first, rows[2 * i + 1] + first, n, to);
}

/// sums {M, kPanel} over a block of dy {pairs, stride, 2}, its first M, x panel {pairs, kPanel, 2}.
template <int M, int V>
void tile(const Block& block, const BFloat16* dy, int64_t stride, const BFloat16* panel, float* sums,
          const Ahead& ahead) {
  Tile<M, V> tile;
  if (block.first) {
    tile.clear();
  } else {
    tile.load_rows(sums);
  }
  for (int64_t i = 0; i < M * kPanel; i += kLine) __builtin_prefetch(sums + M * kPanel + i, 1);
  for (int64_t i = 0; i < block.pairs; ++i, dy += 2 * stride, panel += 2 * kPanel) {
    __builtin_prefetch(ahead.dy + i * ahead.dy_step, 0, 2);
    __builtin_prefetch(ahead.rows[2 * i] + ahead.column);
    tile.add(
        [&](auto m) __attribute__((always_inline)) { return dy + 2 * m.value; }, panel);
  }
  tile.store_rows(sums);
}

/// The tiles of one panel, of `width` columns.
void add_panel(const Channels& channels, const Block& block, const BFloat16* dy, const BFloat16* panel, int64_t width,
               float* sums, Ahead& ahead) {
  const BFloat16* const* const rows_ahead = ahead.rows;
  int64_t done = 0;
  for (int64_t b = 0; b < channels.blocks(); ++b) {
    const int64_t count = channels.count(b), tiles = channels.tiles(b);
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t co = count * t / tiles, m = count * (t + 1) / tiles - co;
      ahead.rows = rows_ahead + done++ % 2;
      with_tile(m, width, [&](auto rows, auto vecs) {
        tile<rows.value, vecs.value>(block, dy + channels.place(b) + 2 * co, channels.stride(b), panel,
                                     sums + (channels.begin(b) + co) * kPanel, ahead);
      });
      ahead.dy += block.pairs * ahead.dy_step;
    }
  }
}

/// The rows of a block as a line of taps sees them, zeros behind them.
struct Rows {
  const BFloat16* at[kBlock];
  BFloat16* own;  // where those are put together that the border cuts

  void find(const Windows& s, int64_t line, int64_t begin, int64_t end, const BFloat16* zeros) {
    gather(s, line, 0, s.run(), begin, end, zeros, own, pitch_of(s), at);
    for (int64_t i = end > begin ? end - begin : 0; i < kBlock; ++i) at[i] = zeros;
  }
};

void outer(const Outer& p, const OuterRange& range, float* sums, void* memory) {
  char* const scratch = static_cast<char*>(memory);
  const Windows& s = p.x;
  const int64_t co_count = range.co_end - range.co, run = s.run(), panels = ceil_div(run, kPanel);
  if (co_count == 0 || range.panel == range.panel_end || range.row == range.row_end) return;
  const Memory m = memory_of(p, co_count);
  const Channels channels{range.co, range.co_end};
  auto* const dy = reinterpret_cast<BFloat16*>(scratch);
  auto* const packed = reinterpret_cast<BFloat16*>(scratch + m.panel);
  __builtin_memset(scratch + m.zeros, 0, static_cast<size_t>(m.bytes - m.zeros));
  const auto* const zeros = reinterpret_cast<const BFloat16*>(scratch + m.zeros);
  const Extent extent{s.x, s.x_end};

  Rows rows[2];
  for (int i = 0; i < 2; ++i) rows[i].own = reinterpret_cast<BFloat16*>(scratch + m.rows[i]);
  int now = 0;
  const int64_t all = range.row_end - range.row, block = even(ceil_div(all, ceil_div(all, kBlock)));
  const auto find = [&](Rows& to, int64_t panel, int64_t row) {
    to.find(s, panel / panels, row, least(range.row_end, row + block), zeros);
  };
  find(rows[now], range.panel, range.row);
  for (int64_t r0 = range.row; r0 < range.row_end; r0 += block) {
    const int64_t count = least(block, range.row_end - r0), pairs = (count + 1) / 2, r1 = r0 + count;
    interleave_dy(p, channels, r0, count, zeros, dy);
    const int64_t steps = channels.all_tiles() * (range.panel_end - range.panel) * pairs;
    const int64_t to_come = least(block, range.row_end - r1) * p.dy_c * static_cast<int64_t>(sizeof *p.dy);
    Ahead ahead{reinterpret_cast<const char*>(p.dy + r1 * p.dy_c), ceil_div(to_come, steps), nullptr, 0};
    for (int64_t k = range.panel; k < range.panel_end; ++k) {
      const int64_t first = k % panels * kPanel, width = least(run - first, kPanel);
      const bool last = k + 1 == range.panel_end, same = !last && (k + 1) % panels != 0;
      const int64_t next = last ? range.panel : k + 1;
      interleave_panel(extent, rows[now].at, pairs, first, width, packed);
      if (!same) now = 1 - now, find(rows[now], next, last ? r1 : r0);
      ahead.rows = rows[now].at;
      ahead.column = next % panels * kPanel;
      add_panel(channels, {pairs, r0 == range.row}, dy, packed, width, sums + k * p.dy_c * kPanel, ahead);
    }
  }
}

}  // namespace

void fill_outer(Kernels& t) {
  t.outer = outer;
  t.outer_scratch = outer_scratch;
}

}  // namespace ntq::bf16::NTQ_ISA
