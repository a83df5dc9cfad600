#pragma once
// Standard normal numbers from Philox by the Box-Muller transform, with plain operators, so every ISA draws the same
// bits. Sine and cosine are off by less than 2e-7.
#include "engine/backend/cpu/kernels/math.h"
#include "engine/philox.h"
#include "engine/random.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int64_t kNoiseChunk = 256;  // elements drawn at a time; a multiple of 4

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

/// Random words of kNoiseChunk / 4 blocks: words[j][b] is word j of block first + b. In loops over
/// blocks, which the compiler turns into vectors.
[[maybe_unused]] inline void philox_chunk(const RandomKey& key, uint64_t first, uint32_t (&w)[4][kNoiseChunk / 4]) {
  constexpr int kBlocks = kNoiseChunk / 4;
  for (int b = 0; b < kBlocks; ++b) {
    w[0][b] = static_cast<uint32_t>(first + static_cast<uint64_t>(b));
    w[1][b] = static_cast<uint32_t>((first + static_cast<uint64_t>(b)) >> 32);
    w[2][b] = key.stream;
    w[3][b] = key.step;
  }
  const PhiloxKey k = {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)};
  for (int i = 0; i < 10; ++i) {
    for (int b = 0; b < kBlocks; ++b) philox_round(k, i, w[0][b], w[1][b], w[2][b], w[3][b]);
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
