#pragma once
// Standard normal numbers from Philox by the Box-Muller transform, with plain operators, so every ISA draws the same
// bits. Sine and cosine are off by less than 2e-7.
#include "engine/backend/cpu/kernels/math.h"
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
