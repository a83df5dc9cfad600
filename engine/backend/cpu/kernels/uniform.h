#pragma once
// A uniform quantizer on vectors: codes, and the gradients of LSQ (arXiv 1902.08153, Eq. 1-3). Plain operators only:
// the same bits on every ISA.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

/// Unsigned bytes as whole numbers: the first n <= kWidth, zeros behind them.
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
/// The low byte of each lane.
[[maybe_unused]] inline void store_bytes(uint8_t* p, VecI v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_cvtepi32_storeu_epi8(p, first_lanes(n), reinterpret_cast<__m512i>(v));
#else
  typedef uint8_t VecB __attribute__((vector_size(kWidth)));
  const VecB bytes = __builtin_convertvector(v, VecB);
  if (n == kWidth) {
    __builtin_memcpy(p, &bytes, sizeof bytes);
  } else {
    for (int i = 0; i < kWidth && i < n; ++i) p[i] = bytes[i];
  }
#endif
}

struct Uniform {
  Vec step, low, high;

  explicit Uniform(const UniformSteps& s) : step(splat(s.step)), low(splat(s.range.low)), high(splat(s.range.high)) {}
  /// v / step clamped to the range and rounded to even.
  Vec code(Vec v) const { return round_even(clamp(v / step, low, high)); }
  /// The code as a whole number; 0 of what is not a number.
  VecI byte(Vec v) const { return __builtin_convertvector(select(v == v, code(v), Vec{}), VecI); }
  /// Where the value's gradient g passes; `of_step` = g d, d = round(v / step) - v / step inside, low or high outside.
  VecI passes(Vec v, Vec g, Vec& of_step) const {
    const Vec t = v / step;
    const VecI below = t <= low, above = t >= high;
    of_step = g * select(below, low, select(above, high, round_even(t) - t));
    return ~(below | above);
  }
  /// dv.
  Vec gradient(Vec v, Vec g, Vec& of_step) const { return select(passes(v, g, of_step), g, Vec{}); }
};

/// Sixteen sums, whatever the width of vectors: the same on every ISA. Of runs of elements short enough for float32.
struct LaneSums {
  Vec sums[kLaneSums / kWidth] = {};

  /// `terms` from element `at` on, a multiple of kWidth.
  void add(int64_t at, Vec terms) { sums[at / kWidth % (kLaneSums / kWidth)] += terms; }
  /// Writes the sums and begins again.
  void take(float* to) {
    for (int i = 0; i < kLaneSums / kWidth; ++i) {
      store(to + i * kWidth, sums[i]);
      sums[i] = Vec{};
    }
  }
};

/// 0 where all lanes are, else not a number.
[[maybe_unused]] inline float sum_of_lanes(Vec v) {
  float sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += v[i];
  return sum;
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
