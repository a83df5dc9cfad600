// Convolution forward and data gradient as a matrix product of gathered rows. The register tile is kTile rows (pixels)
// by one panel of output channels. Rows are read in place; odd and short runs are first copied, for all panels
// together. A block of runs, or a part of a run, of one panel stays in L1 while kBlock rows
// pass over it.
#include "engine/backend/cpu/bf16/kernels/gather.h"
#include "engine/backend/cpu/bf16/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

constexpr int64_t kBlock = kTile * 16;
constexpr int64_t kDepth = 384;    // values summed in registers before they go to memory
constexpr int64_t kMostRuns = 16;  // row pointers of so many are held at a time

/// How runs are cut: so many whole ones, or one in parts of `depth` values.
struct Blocks {
  int64_t runs, depth;
  int64_t slot;   ///< of one run of one row in scratch
  bool copied;    ///< rows are copies
  bool one_pass;  ///< sums go to y at once
};
Blocks blocks_of(const Windows& s) {
  const int64_t runs = s.runs(), run = s.run();
  Blocks b{1, run, 0, run % 2 != 0 || s.unfolded, false};
  if (run > kDepth) {
    b.depth = even(ceil_div(run, ceil_div(run, kDepth)));
  } else if (run > 0 && runs > 0) {
    // Even blocks: nine runs of four at a time go as three.
    const int64_t most = least(kMostRuns, kDepth / run);
    b.runs = ceil_div(runs, ceil_div(runs, most));
  }
  b.slot = (s.unfolded ? run : b.depth) + kSlack;
  b.one_pass = b.runs >= runs && b.depth >= run;
  return b;
}

struct Memory {
  int64_t sums, edges, copies, zeros, bytes;
};
Memory memory_of(const Windows& s, int64_t panels) {
  const Blocks b = blocks_of(s);
  Memory m{};
  m.edges = kBlock * (b.one_pass ? 1 : panels) * kPanel * static_cast<int64_t>(sizeof(float));
  m.copies = m.edges + kBlock * b.runs * b.slot * static_cast<int64_t>(sizeof(BFloat16));
  m.zeros = m.copies + (b.copied ? kBlock * b.runs * b.slot * static_cast<int64_t>(sizeof(BFloat16)) : 0);
  m.bytes = m.zeros + b.slot * static_cast<int64_t>(sizeof(BFloat16));
  return m;
}
int64_t product_scratch(const Product& p, int64_t panels) { return memory_of(p.x, panels).bytes; }

/// A row of sums to its first `channels` places in y.
template <class Y>
void put_row(const float* sums, Y* y, int64_t channels) {
  for (int64_t c = 0; c < channels; c += kWidth) put(y + c, load(sums + c), least(channels - c, kWidth));
}

/// Where the sums of a tile come from and go to: memory of kPanel for each row, and y at last.
struct Sums {
  float* memory;
  bool load;
  void* const* y;  // null: to memory
  DType y_type;
  int64_t first, channels;
};

/// `runs` runs of `pairs` pairs behind each pointer. Where the sums go to, and the rows of the tile to come, `ahead` or
/// none, are asked for while it computes.
template <int M, int V>
void tile(const BFloat16* const* rows, int64_t runs, int64_t pairs, const BFloat16* panel, int64_t run_stride,
          const Sums& sums, const BFloat16* const* ahead) {
  Tile<M, V> tile;
  for (int m = 0; sums.y && m < M; ++m)
    __builtin_prefetch(static_cast<const char*>(sums.y[m]) + sums.first * (sums.y_type == DType::bf16 ? 2 : 4), 1);
  if (sums.load) {
    tile.load_rows(sums.memory);
  } else {
    tile.clear();
  }
  for (int64_t t = 0; t < runs; ++t, rows += kBlock, panel += run_stride) {
    const BFloat16* a[M];
    each<M>([&](auto m) __attribute__((always_inline)) { a[m.value] = rows[m.value]; });
    const BFloat16* b = panel;
    for (int64_t k = 0; k < pairs;) {
      for (int m = 0; ahead && m < M; ++m) __builtin_prefetch(ahead[t * kBlock + m] + 2 * k, 0, 2);
      for (const int64_t line = least(k + 16, pairs); k < line; ++k, b += 2 * kPanel)
        tile.add(
            [&](auto m) __attribute__((always_inline)) { return a[m.value] + 2 * k; }, b);
    }
  }
  const bool whole = sums.channels == V * kWidth;
  if (sums.y && whole && sums.y_type == DType::bf16) {
    tile.each_sum([&](Vec & sum, int m, int c) __attribute__((always_inline)) {
      put_sums(static_cast<BFloat16*>(sums.y[m]) + sums.first + c, sum);
    });
  } else if (sums.y && whole) {
    tile.each_sum([&](Vec & sum, int m, int c)
                      __attribute__((always_inline)) { store(static_cast<float*>(sums.y[m]) + sums.first + c, sum); });
  } else {
    tile.store_rows(sums.memory);
    for (int m = 0; sums.y && m < M; ++m) {
      if (sums.y_type == DType::bf16) {
        put_row(sums.memory + m * kPanel, static_cast<BFloat16*>(sums.y[m]) + sums.first, sums.channels);
      } else {
        put_row(sums.memory + m * kPanel, static_cast<float*>(sums.y[m]) + sums.first, sums.channels);
      }
    }
  }
}

/// The rows of a block, run by run of one block of runs.
struct Rows {
  const Windows& s;
  const Blocks& b;
  BFloat16* edges;
  BFloat16* copies;
  const BFloat16* zeros;

  /// Values [offset, offset + n) of runs [run, run + runs) of rows [begin, end).
  void find(int64_t run, int64_t runs, int64_t offset, int64_t n, int64_t begin, int64_t end, const BFloat16** to) {
    for (int64_t t = 0; t < runs; ++t, to += kBlock) {
      gather(s, run + t, offset, n, begin, end, zeros, edges + t * kBlock * b.slot, b.slot, to);
      for (int64_t i = 0; b.copied && i < end - begin; ++i) {
        BFloat16* copy = copies + (t * kBlock + i) * b.slot;
        copy_run({s.x, s.x_end}, to[i], n, copy);
        copy[n] = {};
        to[i] = copy;
      }
    }
  }
};

void find_outputs(const Product& p, int64_t begin, int64_t end, void** out) {
  const int64_t pixel = p.y_c * (p.y_type == DType::bf16 ? 2 : 4);
  each_line(p.x, begin, end, [&](int64_t row, int64_t count, int64_t image, int64_t line, int64_t j) {
    const int64_t first = (image * p.y_h + p.y_h0 + line * p.y_step) * p.y_w + p.y_w0 + j * p.y_step;
    for (int64_t i = 0; i < count; ++i) out[row - begin + i] = static_cast<char*>(p.y) + (first + i * p.y_step) * pixel;
  });
}

void product(const Product& p, int64_t begin, int64_t end, int64_t panel, int64_t panel_end, void* memory) {
  char* const scratch = static_cast<char*>(memory);
  const Windows& s = p.x;
  const Blocks b = blocks_of(s);
  const Memory m = memory_of(s, panel_end - panel);
  float* const partial = reinterpret_cast<float*>(scratch);
  Rows rows{s, b, reinterpret_cast<BFloat16*>(scratch + m.edges), reinterpret_cast<BFloat16*>(scratch + m.copies),
            reinterpret_cast<const BFloat16*>(scratch + m.zeros)};
  __builtin_memset(scratch + m.zeros, 0, static_cast<size_t>(m.bytes - m.zeros));
  const int64_t runs = s.runs(), run = s.run(), all_pairs = (run + 1) / 2;

  for (int64_t r0 = begin; r0 < end; r0 += kBlock) {
    const int64_t count = least(kBlock, end - r0);
    void* out[kBlock];
    find_outputs(p, r0, r0 + count, out);
    if (runs == 0 || run == 0) {
      const int64_t size = p.y_type == DType::bf16 ? 2 : 4;
      for (int64_t i = 0; i < count; ++i) __builtin_memset(out[i], 0, static_cast<size_t>(p.y_c * size));
      continue;
    }
    if (s.unfolded) {
      unfold(s, r0, r0 + count, rows.copies, b.slot);
      for (int64_t i = 0; i < count; ++i) rows.copies[i * b.slot + run] = {};
    }
    for (int64_t t0 = 0; t0 < runs; t0 += b.runs) {
      const int64_t run_count = least(b.runs, runs - t0);
      for (int64_t e0 = 0; e0 < run; e0 += b.depth) {
        const int64_t values = least(b.depth, run - e0);
        const BFloat16* pointers[kMostRuns * kBlock];
        if (s.unfolded) {
          for (int64_t i = 0; i < count; ++i) pointers[i] = rows.copies + i * b.slot + e0;
        } else {
          rows.find(t0, run_count, e0, values, r0, r0 + count, pointers);
        }
        const bool last = t0 + run_count >= runs && e0 + values >= run;
        for (int64_t o = panel; o < panel_end; ++o) {
          const BFloat16* packed = p.packed + ((o * runs + t0) * all_pairs + e0 / 2) * 2 * kPanel;
          const int64_t channels = least(p.y_c - o * kPanel, kPanel);
          for (int64_t i = 0; i < count; i += kTile) {
            const Sums sums{partial + ((b.one_pass ? 0 : (o - panel) * kBlock) + i) * kPanel,
                            t0 > 0 || e0 > 0,
                            last ? out + i : nullptr,
                            p.y_type,
                            o * kPanel,
                            channels};
            with_tile(least(count - i, kTile), channels, [&](auto tile_rows, auto vecs) {
              tile<tile_rows.value, vecs.value>(pointers + i, run_count, (values + 1) / 2, packed,
                                                all_pairs * 2 * kPanel, sums,
                                                o == panel && i + 2 * kTile <= count ? pointers + i + kTile : nullptr);
            });
          }
        }
      }
    }
  }
}

}  // namespace

void fill_product(Kernels& t) {
  t.panel = kPanel;
  t.block_rows = kBlock;
  t.product = product;
  t.product_scratch = product_scratch;
}

}  // namespace ntq::bf16::NTQ_ISA
