// Filters, rounded to bfloat16, in panels of pairs; codes as bfloat16.
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

// Written out: the compiler takes bytes apart one by one.
inline Vec whole_numbers(const uint8_t* p) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  return Vec{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
#endif
}
inline Vec whole_numbers(const int8_t* p) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  return Vec{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
#endif
}

template <class T>
void widen_all(const T* codes, int64_t n, BFloat16* to) {
  // 8 bits of precision: the upper halves are all.
  const auto put = [](const T* from, BFloat16* out) {
    const VecH halves = __builtin_convertvector(reinterpret_cast<Pairs>(whole_numbers(from)) >> 16, VecH);
    __builtin_memcpy(out, &halves, sizeof halves);
  };
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) put(codes + i, to + i);
  if (i == n) return;
  T last[kWidth] = {};
  BFloat16 values[kWidth];
  for (int64_t c = i; c < n; ++c) last[c - i] = codes[c];
  put(last, values);
  for (int64_t c = i; c < n; ++c) to[c] = values[c - i];
}
void widen(const void* codes, DType type, int64_t n, BFloat16* to) {
  if (type == DType::u8) {
    widen_all(static_cast<const uint8_t*>(codes), n, to);
  } else {
    widen_all(static_cast<const int8_t*>(codes), n, to);
  }
}

}  // namespace

void fill_pack(Kernels& t) {
  t.widen = widen;
  t.pack_rows = pack_rows;
  t.pack_pair = pack_pair;
}

}  // namespace ntq::bf16::NTQ_ISA
