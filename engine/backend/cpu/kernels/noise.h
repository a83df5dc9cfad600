#pragma once
// Standard normal numbers from Philox by the Box-Muller transform, and exp: polynomials of our own with plain
// operators, so every ISA draws the same bits. Errors below 4e-7 relative (exp, log) and 2e-7 absolute (sine, cosine).
#include "engine/backend/cpu/kernels/vec.h"
#include "engine/random.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int64_t kNoiseChunk = 256;  // elements drawn at a time; a multiple of 4

inline Vec from_int(VecI v) { return __builtin_convertvector(v, Vec); }

/// exp(x) for x <= 0; 0 below -87. Cody-Waite reduction and the Taylor polynomial of degree 7 on |r| <= ln(2)/2.
[[maybe_unused]] inline Vec exponential(Vec x) {
  const VecI tiny = x < splat(-87.0f);
  x = select(tiny, splat(-87.0f), x);
  const Vec n = round_even(x * splat(1.44269504f));
  const Vec r = (x - n * splat(0.693359375f)) + n * splat(2.12194440e-4f);
  Vec p = splat(1.0f / 5040);
  p = p * r + splat(1.0f / 720);
  p = p * r + splat(1.0f / 120);
  p = p * r + splat(1.0f / 24);
  p = p * r + splat(1.0f / 6);
  p = p * r + splat(0.5f);
  p = p * r + splat(1.0f);
  p = p * r + splat(1.0f);
  const VecI power = (__builtin_convertvector(n, VecI) + 127) << 23;
  return select(tiny, Vec{}, p * reinterpret_cast<Vec>(power));
}

/// ln(x) for normal x > 0: x = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)).
[[maybe_unused]] inline Vec logarithm(Vec x) {
  const VecI bits = reinterpret_cast<VecI>(x);
  VecI e = (bits >> 23) - 127;
  Vec m = reinterpret_cast<Vec>((bits & 0x007fffff) | 0x3f800000);
  const VecI high = m > splat(1.41421356f);
  m = select(high, m * splat(0.5f), m);
  e -= high;  // a true lane is -1
  const Vec t = (m - splat(1.0f)) / (m + splat(1.0f)), t2 = t * t;
  Vec p = splat(2.0f / 9);
  p = p * t2 + splat(2.0f / 7);
  p = p * t2 + splat(2.0f / 5);
  p = p * t2 + splat(2.0f / 3);
  p = p * t2 + splat(2.0f);
  return p * t + from_int(e) * splat(0.693147181f);
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

/// Random words of kNoiseChunk / 4 blocks: words[j][b] is word j of block first + b. Philox4x32-10 as in random.cpp, in
/// loops over blocks that the compiler turns into vectors.
[[maybe_unused]] inline void philox_chunk(const RandomKey& key, uint64_t first, uint32_t (&w)[4][kNoiseChunk / 4]) {
  constexpr int kBlocks = kNoiseChunk / 4;
  for (int b = 0; b < kBlocks; ++b) {
    w[0][b] = static_cast<uint32_t>(first + static_cast<uint64_t>(b));
    w[1][b] = static_cast<uint32_t>((first + static_cast<uint64_t>(b)) >> 32);
    w[2][b] = key.stream;
    w[3][b] = key.step;
  }
  uint32_t k0 = static_cast<uint32_t>(key.seed), k1 = static_cast<uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    for (int b = 0; b < kBlocks; ++b) {
      const uint64_t p = uint64_t{0xD2511F53u} * w[0][b], q = uint64_t{0xCD9E8D57u} * w[2][b];
      w[0][b] = static_cast<uint32_t>(q >> 32) ^ w[1][b] ^ k0;
      w[2][b] = static_cast<uint32_t>(p >> 32) ^ w[3][b] ^ k1;
      w[1][b] = static_cast<uint32_t>(q);
      w[3][b] = static_cast<uint32_t>(p);
    }
  }
}

/// eps[i] ~ N(0, 1) for elements first + i, first a multiple of 4. Words 0, 1 of a block give elements 0, 1 (cosine,
/// sine), words 2, 3 give elements 2, 3.
[[maybe_unused]] inline void normal_chunk(const RandomKey& key, uint64_t first, float* eps) {
  constexpr int kBlocks = kNoiseChunk / 4;
  uint32_t words[4][kBlocks];
  philox_chunk(key, first / 4, words);
  for (int pair = 0; pair < 2; ++pair) {
    for (int b = 0; b < kBlocks; b += kWidth) {
      float u[kWidth], v[kWidth];
      for (int i = 0; i < kWidth; ++i) {
        u[i] = static_cast<float>((words[2 * pair][b + i] >> 8) + 1) * 0x1p-24f;  // (0, 1]
        v[i] = static_cast<float>(words[2 * pair + 1][b + i] >> 8) * 0x1p-24f;    // [0, 1)
      }
      const Vec radius = square_root(splat(-2.0f) * logarithm(load(u)));
      Vec sine, cosine;
      sine_cosine(load(v), sine, cosine);
      store(u, radius * cosine);
      store(v, radius * sine);
      for (int i = 0; i < kWidth; ++i) {
        eps[4 * (b + i) + 2 * pair] = u[i];
        eps[4 * (b + i) + 2 * pair + 1] = v[i];
      }
    }
  }
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
