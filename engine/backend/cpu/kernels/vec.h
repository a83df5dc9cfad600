#pragma once
// Vec: kWidth floats in one register of the instruction set that this translation unit is compiled for. All names have
// internal linkage, since every ISA compiles them anew; no std templates, which the linker would merge across ISAs.
#include <stdint.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "base/bf16.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX2__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef float Vec __attribute__((vector_size(kWidth * 4)));
typedef int32_t VecI __attribute__((vector_size(kWidth * 4)));

#if defined(__AVX512F__)
[[maybe_unused]] inline __mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>((1u << n) - 1u); }
#elif defined(__AVX2__)
[[maybe_unused]] inline __m256i first_lanes(int64_t n) {
  const VecI lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  return reinterpret_cast<__m256i>(lanes < VecI{} + static_cast<int32_t>(n));
}
#endif

[[maybe_unused]] inline Vec load(const float* p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
[[maybe_unused]] inline void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }
/// The first n <= kWidth floats, zeros behind them.
[[maybe_unused]] inline Vec load_part(const float* p, int64_t n) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
#elif defined(__AVX2__)
  return _mm256_maskload_ps(p, first_lanes(n));
#else
  Vec v = {};
  for (int i = 0; i < kWidth; ++i) v[i] = i < n ? p[i] : 0.0f;
  return v;
#endif
}
[[maybe_unused]] inline void store_part(float* p, Vec v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, first_lanes(n), v);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, first_lanes(n), v);
#else
  for (int i = 0; i < kWidth && i < n; ++i) p[i] = v[i];
#endif
}
typedef uint16_t VecH __attribute__((vector_size(kWidth * 2)));  // the upper halves of floats

/// Of bfloat16 the same, as float32: exact to read, rounded to nearest even to write (base/bf16.h).
[[maybe_unused]] inline Vec widened(VecH halves) {
#if defined(__AVX512F__)  // where the compiler would do it by halves
  return reinterpret_cast<Vec>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(halves)), 16));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(halves)), 16));
#else
  return reinterpret_cast<Vec>(__builtin_convertvector(halves, VecI) << 16);
#endif
}
/// The bits of v rounded to bfloat16, with anything in the lower halves.
[[maybe_unused]] inline VecI rounded_bits(Vec v) {
  const VecI bits = reinterpret_cast<VecI>(v), rounded = bits + (VecI{} + 0x7fff) + ((bits >> 16) & (VecI{} + 1));
#if defined(__AVX512F__)
  const __m512i sum = reinterpret_cast<__m512i>(rounded);
  return reinterpret_cast<VecI>(_mm512_mask_or_epi32(sum, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q),
                                                     reinterpret_cast<__m512i>(bits), _mm512_set1_epi32(0x400000)));
#else
  const VecI quiet = bits | (VecI{} + 0x400000), number = v == v;
  return (rounded & number) | (quiet & ~number);
#endif
}
[[maybe_unused]] inline VecH upper_halves(VecI bits) {
#if defined(__AVX512F__)  // in one instruction
  typedef uint16_t Words __attribute__((vector_size(kWidth * 4)));
  const Words words = reinterpret_cast<Words>(bits);
  return __builtin_shufflevector(words, words, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#else
  return __builtin_convertvector(bits >> 16, VecH);
#endif
}
[[maybe_unused]] inline VecH narrowed(Vec v) { return upper_halves(rounded_bits(v)); }
[[maybe_unused]] inline Vec load(const BFloat16* p) {
  VecH halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  return widened(halves);
}
[[maybe_unused]] inline void store(BFloat16* p, Vec v) {
  const VecH halves = narrowed(v);
  __builtin_memcpy(p, &halves, sizeof halves);
}
[[maybe_unused]] inline Vec load_part(const BFloat16* p, int64_t n) {
#if defined(__AVX512F__)
  return widened(reinterpret_cast<VecH>(_mm256_maskz_loadu_epi16(first_lanes(n), p)));
#else
  VecH halves = {};
  for (int i = 0; i < kWidth; ++i) halves[i] = i < n ? p[i].bits : uint16_t{0};
  return widened(halves);
#endif
}
/// The first n <= kWidth of them.
[[maybe_unused]] inline void store_halves(BFloat16* p, VecH halves, int64_t n) {
  if (n == kWidth) {
    __builtin_memcpy(p, &halves, sizeof halves);
    return;
  }
#if defined(__AVX512F__)
  _mm256_mask_storeu_epi16(p, first_lanes(n), reinterpret_cast<__m256i>(halves));
#else
  for (int i = 0; i < kWidth && i < n; ++i) p[i].bits = halves[i];
#endif
}
[[maybe_unused]] inline void store_part(BFloat16* p, Vec v, int64_t n) { store_halves(p, narrowed(v), n); }

/// A whole vector, or its first `lanes` floats.
template <class T>
inline Vec get(const T* p, int64_t lanes) {
  return lanes == kWidth ? load(p) : load_part(p, lanes);
}
template <class T>
inline void put(T* p, Vec v, int64_t lanes) {
  if (lanes == kWidth) {
    store(p, v);
  } else {
    store_part(p, v, lanes);
  }
}
/// What v is once it has been stored as T.
template <class T>
inline Vec as_stored(Vec v) {
  if constexpr (sizeof(T) == sizeof(float)) return v;
  return reinterpret_cast<Vec>(rounded_bits(v) & (VecI{} + ~0xffff));
}
/// put() of what needs no rounding.
[[maybe_unused]] inline void put_exact(float* p, Vec v, int64_t lanes) { put(p, v, lanes); }
[[maybe_unused]] inline void put_exact(BFloat16* p, Vec v, int64_t lanes) {
  store_halves(p, upper_halves(reinterpret_cast<VecI>(v)), lanes);
}
[[maybe_unused]] inline Vec splat(float value) {
#if defined(__AVX512F__)
  return _mm512_set1_ps(value);
#elif defined(__AVX2__)
  return _mm256_set1_ps(value);
#else
  return Vec{value, value, value, value};
#endif
}

/// a * b + c in one rounding where the ISA has it: for dot products only. What must agree to the bit across ISAs
/// (quantizers, noise) is written with plain operators.
[[maybe_unused]] inline Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

[[maybe_unused]] inline Vec square_root(Vec v) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xffff, v);  // the unmasked form trips a warning of g++ 12
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(v);
#else
  for (int i = 0; i < kWidth; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

/// mask ? a : b, lane by lane; lanes of a mask are all ones or all zeros, as comparisons give them.
[[maybe_unused]] inline Vec select(VecI mask, Vec a, Vec b) {
  return reinterpret_cast<Vec>((mask & reinterpret_cast<VecI>(a)) | (~mask & reinterpret_cast<VecI>(b)));
}
/// Where v is not a number the result is v.
[[maybe_unused]] inline Vec clamp(Vec v, Vec low, Vec high) {
#if defined(__AVX512F__)  // masked for g++ 12, as above; both give their second operand where one is not a number
  return _mm512_maskz_min_ps(0xffff, high, _mm512_maskz_max_ps(0xffff, low, v));
#elif defined(__AVX2__)
  return _mm256_min_ps(high, _mm256_max_ps(low, v));
#else
  v = select(v < low, low, v);
  return select(v > high, high, v);
#endif
}
[[maybe_unused]] inline Vec absolute(Vec v) {
  return reinterpret_cast<Vec>(reinterpret_cast<VecI>(v) & (VecI{} + 0x7fffffff));
}
constexpr float kLargest = 0x1.fffffep127f;  // of the finite numbers
/// v where `of` is finite, else not a number. A v of -0 becomes 0.
[[maybe_unused]] inline Vec where_finite(Vec of, Vec v) { return v + (of - of); }
/// Nearest integer, ties to even; exact for |v| < 2^22.
[[maybe_unused]] inline Vec round_even(Vec v) {
  const Vec magic = splat(12582912.0f);  // 1.5 * 2^23
  return (v + magic) - magic;
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
