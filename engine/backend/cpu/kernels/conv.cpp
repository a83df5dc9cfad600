// Convolution forward and data gradient as a gathered matrix product. The register tile is kTile rows (pixels) by one
// panel of output channels; inputs are read in place through row pointers, so nothing is copied but the filters, packed
// once a call. Taps and channels are blocked so that a panel block stays in L1 while kBlock rows pass over it.
#include "engine/backend/cpu/kernels/gather.h"
#include "engine/backend/cpu/kernels/tile.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int kBlock = kTile * 16;  // rows that share one pass over the panels
constexpr int64_t kDepth = 320;     // products summed in registers before they go to memory
constexpr int64_t kMaxTaps = 128;   // row pointers of so many taps are held at a time

/// One register tile: `taps` taps, channels [0, depth) behind each pointer, on top of what is in the rows if `add`.
template <int M, int V>
void tile(const float* const* rows, int64_t row_stride, int64_t taps, int64_t offset, int64_t depth, const float* panel,
          int64_t tap_stride, float* const* out, int64_t channels, bool add) {
  Vec acc[M][V];
  if (add) {
    for (int m = 0; m < M; ++m) load_row<V>(acc[m], out[m], channels);
  } else {
    for (int m = 0; m < M; ++m) clear_row<V>(acc[m]);
  }
  for (int64_t t = 0; t < taps; ++t) {
    const float* a[M];
    for (int m = 0; m < M; ++m) a[m] = rows[t * row_stride + m] + offset;
    const float* b = panel + t * tap_stride;
    for (int64_t k = 0; k < depth; ++k, b += kPanel) {
      Vec wide[V];
      for (int v = 0; v < V; ++v) wide[v] = load(b + v * kWidth);
      for (int m = 0; m < M; ++m) {
        const Vec one = splat(a[m][k]);
        for (int v = 0; v < V; ++v) acc[m][v] = fma(one, wide[v], acc[m][v]);
      }
    }
  }
  for (int m = 0; m < M; ++m) store_row<V>(out[m], acc[m], channels);
}

void gather_product(const GatherProduct& p, int64_t begin, int64_t end, int64_t panel_begin, int64_t panel_end) {
  const Source source = source_of(p);
  const float* pointers[kMaxTaps * kBlock];
  float* out[kBlock];
  // Whole taps per block while they fit, else a part of one tap's channels.
  const int64_t depth = p.x_c < kDepth ? p.x_c : kDepth;
  int64_t taps_per_block = depth == p.x_c && p.x_c ? kDepth / p.x_c : 1;
  // Even blocks: nine taps of 64 channels go as 5 + 4.
  if (taps_per_block < p.tap_count) {
    const int64_t blocks = (p.tap_count + taps_per_block - 1) / taps_per_block;
    taps_per_block = (p.tap_count + blocks - 1) / blocks;
  } else {
    taps_per_block = p.tap_count ? p.tap_count : 1;
  }
  if (taps_per_block > kMaxTaps) taps_per_block = kMaxTaps;  // of one or two channels

  for (int64_t r0 = begin; r0 < end; r0 += kBlock) {
    const int64_t rows = end - r0 < kBlock ? end - r0 : kBlock;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t j = (r0 + i) % p.grid_w, line = (r0 + i) / p.grid_w;
      const int64_t h = p.y_h0 + line % p.grid_h * p.y_step, w = p.y_w0 + j * p.y_step;
      out[i] = p.y + ((line / p.grid_h * p.y_h + h) * p.y_w + w) * p.y_c;
    }
    if (p.tap_count == 0 || p.x_c == 0) {
      for (int64_t i = 0; i < rows; ++i) __builtin_memset(out[i], 0, static_cast<size_t>(p.y_c) * sizeof(float));
      continue;
    }
    for (int64_t t0 = 0; t0 < p.tap_count; t0 += taps_per_block) {
      const int64_t taps = p.tap_count - t0 < taps_per_block ? p.tap_count - t0 : taps_per_block;
      for (int64_t t = 0; t < taps; ++t) gather_rows(source, p.taps[t0 + t], r0, r0 + rows, pointers + t * kBlock);
      for (int64_t c0 = 0; c0 < p.x_c; c0 += depth) {
        const int64_t c_count = p.x_c - c0 < depth ? p.x_c - c0 : depth;
        const bool add = t0 > 0 || c0 > 0;
        for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
          const float* packed = p.packed + ((panel * p.tap_count + t0) * p.x_c + c0) * kPanel;
          const int64_t left = p.y_c - panel * kPanel, channels = left < kPanel ? left : kPanel;
          float* to[kTile];
          for (int64_t i = 0; i < rows; i += kTile) {
            const int m = static_cast<int>(rows - i < kTile ? rows - i : kTile);
            for (int r = 0; r < m; ++r) to[r] = out[i + r] + panel * kPanel;
            with_tile(m, channels, [&](auto tile_rows, auto vecs) {
              tile<tile_rows.value, vecs.value>(pointers + i, kBlock, taps, c0, c_count, packed, p.x_c * kPanel, to,
                                                channels, add);
            });
          }
        }
      }
    }
  }
}

}  // namespace

void fill_conv(Kernels& t) {
  t.panel = kPanel;
  t.tile_rows = kTile;
  t.gather_product = gather_product;
}

}  // namespace ntq::cpu::NTQ_ISA
