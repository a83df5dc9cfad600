#pragma once
// Standard normal numbers from Philox by the Box-Muller transform, with plain operators, so every ISA draws the same
// bits. Sine and cosine are off by less than 2e-7.
#include "engine/backend/cpu/kernels/math.h"
#include "engine/random.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int64_t kNoiseChunk = 8 * kWidth;  // elements drawn at a time

typedef uint64_t VecL __attribute__((vector_size(kWidth * 4)));

#if defined(__AVX512F__)
constexpr VecL kEvenBlocks = {0, 8, 1, 9, 2, 10, 3, 11};
#elif defined(__AVX2__)
constexpr VecL kEvenBlocks = {0, 4, 1, 5};
#else
constexpr VecL kEvenBlocks = {0, 2};
#endif

/// Products of the lower halves of the lanes.
[[maybe_unused]] inline VecL product_low(VecL a, VecL b) {
#if defined(__AVX512F__)
  return reinterpret_cast<VecL>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<VecL>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

/// In each four lanes: a0 b0 a1 b1.
[[maybe_unused]] inline Vec zip_low(Vec a, Vec b) {
#if defined(__AVX512F__)
  return _mm512_maskz_unpacklo_ps(0xffff, a, b);
#elif defined(__AVX2__)
  return _mm256_unpacklo_ps(a, b);
#else
  return Vec{a[0], b[0], a[1], b[1]};
#endif
}
/// a2 b2 a3 b3.
[[maybe_unused]] inline Vec zip_high(Vec a, Vec b) {
#if defined(__AVX512F__)
  return _mm512_maskz_unpackhi_ps(0xffff, a, b);
#elif defined(__AVX2__)
  return _mm256_unpackhi_ps(a, b);
#else
  return Vec{a[2], b[2], a[3], b[3]};
#endif
}

/// Sine and cosine of 2 pi u, u in [0, 1): quadrant by rounding, Taylor polynomials on |angle| <= pi/4.
[[maybe_unused]] inline void sine_cosine(Vec u, Vec& sine, Vec& cosine) {
  const Vec q = round_even(u * splat(4.0f));
  const Vec a = (u - q * splat(0.25f)) * splat(6.28318531f), a2 = a * a;
  Vec s = splat(-1.0f / 5040);
  s = s * a2 + splat(1.0f / 120);
  s = s * a2 + splat(-1.0f / 6);
  s = (s * a2 + splat(1.0f)) * a;
  Vec c = splat(1.0f / 40320);
  c = c * a2 + splat(-1.0f / 720);
  c = c * a2 + splat(1.0f / 24);
  c = c * a2 + splat(-0.5f);
  c = c * a2 + splat(1.0f);
  const VecI quadrant = __builtin_convertvector(q, VecI);
  const VecI swap = (quadrant & 1) == 1;
  const VecI sine_sign = (quadrant & 2) << 30, cosine_sign = ((quadrant + 1) & 2) << 30;
  sine = reinterpret_cast<Vec>(reinterpret_cast<VecI>(select(swap, c, s)) ^ sine_sign);
  cosine = reinterpret_cast<Vec>(reinterpret_cast<VecI>(select(swap, s, c)) ^ cosine_sign);
}

/// Philox on kWidth / 2 blocks: word i of each in the lower half of the lanes of c[i]; what is above it is anything.
struct PhiloxLanes {
  VecL c[4];

  PhiloxLanes(const RandomKey& key, VecL blocks) : c{blocks, blocks >> 32, VecL{} + key.stream, VecL{} + key.step} {}
  void round(uint32_t k0, uint32_t k1) {
    const VecL a = product_low(c[0], VecL{} + 0xD2511F53u), b = product_low(c[2], VecL{} + 0xCD9E8D57u);
    c[0] = (b >> 32) ^ c[1] ^ (VecL{} + k0);
    c[2] = (a >> 32) ^ c[3] ^ (VecL{} + k1);
    c[1] = b;
    c[3] = a;
  }
};

/// kWidth blocks of Philox. Lane 4 l + j has block kWidth / 4 * j + l, so that four words of each lane, zipped twice,
/// lie in the order of elements.
struct PhiloxBlocks {
  PhiloxLanes even, odd;  // lanes

  PhiloxBlocks(const RandomKey& key, uint64_t first)
      : even(key, kEvenBlocks + first), odd(key, kEvenBlocks + (first + kWidth / 4)) {}
  void round(uint32_t k0, uint32_t k1) { even.round(k0, k1), odd.round(k0, k1); }
  /// The upper 24 bits of word i.
  VecI top(int i) const {
    return (reinterpret_cast<VecI>((even.c[i] & 0xffffffffu) | (odd.c[i] << 32)) >> 8) & 0xffffff;
  }
};

/// eps[i] ~ N(0, 1) for elements first + i, first a multiple of kNoiseChunk. Words 0, 1 of a block give elements 0, 1
/// (cosine, sine), words 2, 3 give elements 2, 3.
[[maybe_unused]] inline void normal_chunk(const RandomKey& key, uint64_t first, float* eps) {
  PhiloxBlocks blocks[] = {{key, first / 4}, {key, first / 4 + kWidth}};  // each waits for its own products
  uint32_t k0 = static_cast<uint32_t>(key.seed), k1 = static_cast<uint32_t>(key.seed >> 32);
  for (int i = 0; i < 10; ++i, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    for (PhiloxBlocks& b : blocks) b.round(k0, k1);
  }
  for (const PhiloxBlocks& b : blocks) {
    Vec x[4];
    for (int i = 0; i < 4; i += 2) {
      const Vec u = from_int(b.top(i) + 1) * splat(0x1p-24f), v = from_int(b.top(i + 1)) * splat(0x1p-24f);
      const Vec radius = square_root(splat(-2.0f) * logarithm(u));  // u in (0, 1], v in [0, 1)
      Vec sine, cosine;
      sine_cosine(v, sine, cosine);
      x[i] = radius * cosine;
      x[i + 1] = radius * sine;
    }
    const Vec even[] = {zip_low(x[0], x[2]), zip_high(x[0], x[2])}, odd[] = {zip_low(x[1], x[3]), zip_high(x[1], x[3])};
    for (int i = 0; i < 2; ++i, eps += 2 * kWidth) {
      store(eps, zip_low(even[i], odd[i]));
      store(eps + kWidth, zip_high(even[i], odd[i]));
    }
  }
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
