#pragma once
// Bytes of memory as vectors of whole numbers. By intrinsics: g++ 12 takes such vectors apart, lane by lane.
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

/// kWidth bytes as floats.
[[maybe_unused]] inline Vec whole_numbers(const uint8_t* p) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  return Vec{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
#endif
}
[[maybe_unused]] inline Vec whole_numbers(const int8_t* p) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  return Vec{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
#endif
}
/// The first n <= kWidth bytes as whole numbers, zeros behind.
[[maybe_unused]] inline VecI load_bytes(const uint8_t* p, int64_t n) {
#if defined(__AVX512F__)
  return reinterpret_cast<VecI>(_mm512_maskz_cvtepu8_epi32(0xffff, _mm_maskz_loadu_epi8(first_lanes(n), p)));
#else
  uint8_t bytes[kWidth] = {};
  if (n == kWidth) {
    __builtin_memcpy(bytes, p, kWidth);
  } else {
    for (int i = 0; i < kWidth && i < n; ++i) bytes[i] = p[i];
  }
#if defined(__AVX2__)
  int64_t all;
  __builtin_memcpy(&all, bytes, kWidth);
  return reinterpret_cast<VecI>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(all)));
#else
  return VecI{bytes[0], bytes[1], bytes[2], bytes[3]};
#endif
#endif
}

/// The low bytes of the first n <= kWidth lanes.
[[maybe_unused]] inline void store_bytes(uint8_t* p, VecI v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_cvtepi32_storeu_epi8(p, first_lanes(n), reinterpret_cast<__m512i>(v));
#else
  uint8_t bytes[kWidth];
#if defined(__AVX2__)
  const __m256i low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1,
                                       -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i fours = _mm256_shuffle_epi8(reinterpret_cast<__m256i>(v), low);
  const __m128i all = _mm_unpacklo_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(n == kWidth ? p : bytes), all);
  if (n == kWidth) return;
#else
  for (int i = 0; i < kWidth; ++i) bytes[i] = static_cast<uint8_t>(v[i]);
#endif
  for (int i = 0; i < kWidth && i < n; ++i) p[i] = bytes[i];
#endif
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
