// Filters, rounded to bfloat16, in panels of pairs.
#include "engine/backend/cpu/bf16/kernels/dot.h"
#include "engine/backend/cpu/bf16/kernels/kernels.h"
#include "engine/backend/cpu/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

void pack_rows(const float* w, int64_t row_stride, int64_t rows, int64_t length, BFloat16* to) {
  for (int64_t k = 0; k < length; k += 2 * kWidth) {
    // kWidth pairs of each filter, then turned.
    uint32_t pairs[kPanel][kWidth] = {};
    for (int64_t o = 0; o < rows; ++o) {
      for (int half = 0; half < 2; ++half) {
        const int64_t at = k + half * kWidth, left = length - at;
        if (left <= 0) break;
        const VecH values = narrowed(get(w + o * row_stride + at, left < kWidth ? left : kWidth));
        __builtin_memcpy(&pairs[o][half * kWidth / 2], &values, sizeof values);
      }
    }
    const int64_t left = (length - k + 1) / 2, count = left < kWidth ? left : kWidth;
    for (int64_t p = 0; p < count; ++p, to += 2 * kPanel) {
      uint32_t row[kPanel];
      for (int o = 0; o < kPanel; ++o) row[o] = pairs[o][p];
      __builtin_memcpy(to, row, sizeof row);
    }
  }
}

void pack_pair(const float* even, const float* odd, int64_t n, BFloat16* to, int64_t panel_stride) {
  const auto values = [](const float* from, int64_t lanes) {
    return from && lanes > 0 ? narrowed(get(from, lanes < kWidth ? lanes : kWidth)) : VecH{};
  };
  for (int64_t c0 = 0; c0 < n; c0 += kPanel, to += panel_stride) {
    for (int64_t c = c0; c < c0 + kPanel; c += kWidth) {
      const Pairs pairs = __builtin_convertvector(values(even + c, n - c), Pairs) |
                          __builtin_convertvector(values(odd ? odd + c : odd, n - c), Pairs) << 16;
      __builtin_memcpy(to + 2 * (c - c0), &pairs, sizeof pairs);
    }
  }
}

}  // namespace

void fill_pack(Kernels& t) {
  t.pack_rows = pack_rows;
  t.pack_pair = pack_pair;
}

}  // namespace ntq::bf16::NTQ_ISA
