// Filter gradient as sums of outer products: the register tile is up to kTile output channels by one panel of input
// channels, summed over a block of pixels, then added to the accumulator in memory. With many channels the operands of
// a block are first packed, since pixels a multiple of 1 KB apart would fall into the same cache sets.
#include "engine/backend/cpu/kernels/gather.h"
#include "engine/backend/cpu/kernels/tile.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int64_t kPixels = 128;    // pixels of one block
constexpr int64_t kPackFrom = 128;  // channels from which operands are packed

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

int64_t outer_scratch(const GatherOuter& p) { return kPixels * (kPanel + round_up(p.dy_c, kTile) + kTile); }

void pack_panel(const float* const* x, int64_t offset, int64_t channels, int64_t pixels, float* to) {
  for (int64_t i = 0; i < pixels; ++i) {
    Vec row[kVecs];
    load_row<kVecs>(row, x[i] + offset, channels);
    store_row<kVecs>(to + i * kPanel, row, kPanel);
  }
}

void gather_outer(const GatherOuter& p, int64_t begin, int64_t end, int64_t co_begin, int64_t co_end, float* acc,
                  float* scratch) {
  const Source source = source_of(p);
  const float* x[kPixels];  // of one tap
  const int64_t padded_c = round_up(p.x_c, kPanel), acc_stride = p.tap_count * padded_c;
  const bool pack = p.x_c >= kPackFrom || p.dy_c >= kPackFrom || p.x_c % kWidth;
  float* const packed_x = scratch;
  float* const packed_dy = scratch + kPixels * kPanel;
  // Even tiles: 16 channels go as 6 + 5 + 5, so that no tile is too low to hide the latency of its sums.
  const int64_t co_count = co_end - co_begin, co_tiles = (co_count + kTile - 1) / kTile;
  const auto co_of = [=](int64_t tile_index) { return co_begin + co_count * tile_index / co_tiles; };

  for (int64_t r0 = begin; r0 < end; r0 += kPixels) {
    const int64_t pixels = end - r0 < kPixels ? end - r0 : kPixels;
    if (pack) {
      for (int64_t k = 0; k < co_tiles; ++k) {
        const int64_t co = co_of(k), m = co_of(k + 1) - co;
        float* to = packed_dy + (co - co_begin) * kPixels;
        for (int64_t i = 0; i < pixels; ++i) {
          for (int64_t j = 0; j < m; ++j) to[i * m + j] = p.dy[(r0 + i) * p.dy_c + co + j];
        }
      }
    }
    for (int64_t t = 0; t < p.tap_count; ++t) {
      gather_rows(source, p.taps[t], r0, r0 + pixels, x);
      for (int64_t c0 = 0; c0 < p.x_c; c0 += kPanel) {
        const int64_t left = p.x_c - c0, channels = left < kPanel ? left : kPanel;
        if (pack) pack_panel(x, c0, channels, pixels, packed_x);
        for (int64_t k = 0; k < co_tiles; ++k) {
          const int64_t co = co_of(k), m = co_of(k + 1) - co;
          float* to = acc + co * acc_stride + t * padded_c + c0;
          with_tile(m, channels, [&](auto tile_rows, auto vecs) {
            constexpr int kRows = tile_rows.value, kWide = vecs.value;
            // The accumulator has whole vectors.
            if (pack) {
              outer_tile<kRows, kWide>(
                  pixels, packed_dy + (co - co_begin) * kPixels, m, [=](int64_t i) { return packed_x + i * kPanel; },
                  to, acc_stride, kWide * kWidth);
            } else {
              outer_tile<kRows, kWide>(
                  pixels, p.dy + r0 * p.dy_c + co, p.dy_c, [&](int64_t i) { return x[i] + c0; }, to, acc_stride,
                  kWide * kWidth);
            }
          });
        }
      }
    }
  }
}

}  // namespace

void fill_conv_grad(Kernels& t) {
  t.gather_outer = gather_outer;
  t.outer_scratch = outer_scratch;
}

}  // namespace ntq::cpu::NTQ_ISA
