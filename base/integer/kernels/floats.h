#pragma once
// Floats: kInts float32 in one register, and what takes them to codes. Operators and instructions that IEEE 754 rounds
// alike: the same bits on every instruction set.
#include "base/integer/kernels/dot.h"

namespace ntq::integer::NTQ_ISA {
namespace {

typedef float Floats __attribute__((vector_size(kInts * 4)));

[[maybe_unused]] inline Floats load_floats(const float* p) {
  Floats v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
[[maybe_unused]] inline void store_floats(float* p, Floats v) { __builtin_memcpy(p, &v, sizeof v); }
typedef uint16_t Halves __attribute__((vector_size(kInts * 2)));
/// As bfloat16, to nearest even; what is not a number stays quiet (base/bf16.h).
[[maybe_unused]] inline Halves halves_of(Floats v) {
  const Ints bits = reinterpret_cast<Ints>(v), quiet = bits | splat(0x400000), number = v == v;
  const Ints nearest = bits + splat(0x7fff) + (bits >> 16 & splat(1));
  return __builtin_convertvector(((nearest & number) | (quiet & ~number)) >> 16, Halves);
}
[[maybe_unused]] inline Floats splat_float(float value) { return value - Floats{}; }
[[maybe_unused]] inline Floats to_floats(Ints v) { return __builtin_convertvector(v, Floats); }

/// a > b ? a : b, lane by lane: b where one is not a number.
[[maybe_unused]] inline Floats larger(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
  return _mm_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
/// a < b ? a : b.
[[maybe_unused]] inline Floats smaller(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_min_ps(a, b);
#elif defined(__AVX2__)
  return _mm256_min_ps(a, b);
#elif defined(__SSE2__)
  return _mm_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}

/// a * b + c in one rounding.
[[maybe_unused]] inline Floats fused(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)
  for (int i = 0; i < kInts; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
#else
  // In float64 the product is exact. Where the sum is not, it becomes the neighbour with the odd last bit, which a
  // second rounding takes to where the first one alone would (Boldo and Melquiond, "Emulation of FMA", 2008).
  typedef double Doubles __attribute__((vector_size(kInts * 8)));
  typedef uint64_t Bits __attribute__((vector_size(kInts * 8)));
  const Doubles product = __builtin_convertvector(a, Doubles) * __builtin_convertvector(b, Doubles);
  const Doubles term = __builtin_convertvector(c, Doubles), sum = product + term, back = sum - product;
  const Doubles lost = (product - (sum - back)) + (term - back);
  Bits bits = reinterpret_cast<Bits>(sum);
  const Bits inexact = reinterpret_cast<Bits>((lost > 0) | (lost < 0));  // infinities lose what is not a number
  const Bits move = inexact & ~bits & 1, inwards = move & (reinterpret_cast<Bits>(lost) ^ bits) >> 63;
  bits += move - 2 * inwards;
  return __builtin_convertvector(reinterpret_cast<Doubles>(bits), Floats);
#endif
}

/// Nearest integers, ties to even, of |v| < 2^22.
[[maybe_unused]] inline Ints rounded(Floats v) {
#if defined(__AVX512F__)
  return reinterpret_cast<Ints>(_mm512_cvtps_epi32(v));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_cvtps_epi32(v));
#else
  const Floats magic = splat_float(12582912.0f);  // 1.5 * 2^23
  return __builtin_convertvector((v + magic) - magic, Ints);
#endif
}

/// The low bytes of v, n of them.
[[maybe_unused]] inline void store_bytes(uint8_t* p, Ints v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_cvtepi32_storeu_epi8(p, static_cast<__mmask16>((1 << n) - 1), reinterpret_cast<__m512i>(v));
#else
  for (int64_t i = 0; i < n; ++i) p[i] = static_cast<uint8_t>(v[i]);
#endif
}
[[maybe_unused]] inline void store_bytes(uint8_t* p, Ints v) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(v)));
#elif defined(__AVX2__)
  const __m256i all = reinterpret_cast<__m256i>(v);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
#else
  store_bytes(p, v, kInts);
#endif
}

}  // namespace
}  // namespace ntq::integer::NTQ_ISA
