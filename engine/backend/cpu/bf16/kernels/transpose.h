#pragma once
// A square of pairs turned: filters, whose input channels are side by side, become pairs whose output channels are.
#include "engine/backend/cpu/bf16/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

/// Lane k of row l becomes lane l of row k.
[[maybe_unused]] inline void transpose(Pairs (&rows)[kWidth]) {
#if defined(__AVX512F__)
  // Masked, all of it: the plain forms trip a warning of g++ 12.
  const auto low = [](__m512i x, __m512i y) { return _mm512_maskz_unpacklo_epi32(0xffff, x, y); };
  const auto high = [](__m512i x, __m512i y) { return _mm512_maskz_unpackhi_epi32(0xffff, x, y); };
  const auto low_two = [](__m512i x, __m512i y) { return _mm512_maskz_unpacklo_epi64(0xff, x, y); };
  const auto high_two = [](__m512i x, __m512i y) { return _mm512_maskz_unpackhi_epi64(0xff, x, y); };
  const auto even = [](__m512i x, __m512i y) { return _mm512_maskz_shuffle_i32x4(0xffff, x, y, 0x88); };
  const auto odd = [](__m512i x, __m512i y) { return _mm512_maskz_shuffle_i32x4(0xffff, x, y, 0xdd); };
  const auto row = [&](int i) { return reinterpret_cast<__m512i>(rows[i]); };
  __m512i a[16], b[16];
  each<8>([&](auto i) {
    a[2 * i] = low(row(2 * i), row(2 * i + 1));
    a[2 * i + 1] = high(row(2 * i), row(2 * i + 1));
  });
  each<4>([&](auto i) {
    each<2>([&](auto k) {
      b[4 * i + 2 * k] = low_two(a[4 * i + k], a[4 * i + 2 + k]);
      b[4 * i + 2 * k + 1] = high_two(a[4 * i + k], a[4 * i + 2 + k]);
    });
  });
  each<4>([&](auto k) {
    const __m512i p = even(b[k], b[4 + k]), q = odd(b[k], b[4 + k]);
    const __m512i x = even(b[8 + k], b[12 + k]), y = odd(b[8 + k], b[12 + k]);
    rows[k] = reinterpret_cast<Pairs>(even(p, x));
    rows[4 + k] = reinterpret_cast<Pairs>(even(q, y));
    rows[8 + k] = reinterpret_cast<Pairs>(odd(p, x));
    rows[12 + k] = reinterpret_cast<Pairs>(odd(q, y));
  });
#else
  for (int l = 0; l < kWidth; ++l) {
    for (int k = 0; k < l; ++k) {
      const uint32_t other = rows[l][k];
      rows[l][k] = rows[k][l];
      rows[k][l] = other;
    }
  }
#endif
}

}  // namespace
}  // namespace ntq::bf16::NTQ_ISA
