#pragma once
// Standard normal numbers from Philox by the Box-Muller transform, in registers: the bits of
// engine/backend/cpu/kernels/noise.h.
#include <cmath>

#include "engine/backend/cuda/kernels/math.h"
#include "engine/backend/cuda/kernels/pack.h"
#include "engine/philox.h"
#include "engine/random.h"

namespace ntq::cuda {

struct SineCosine {
  float sine, cosine;
};

/// Of 2 pi u, u in [0, 1): quadrant by rounding, Taylor polynomials on |angle| <= pi/4.
NTQ_DEVICE SineCosine sine_cosine(float u) {
  const float q = round_even(u * 4.0f);
  const float a = (u - q * 0.25f) * 6.28318531f, a2 = a * a;
  float s = -1.0f / 5040;
  s = s * a2 + 1.0f / 120;
  s = s * a2 + -1.0f / 6;
  s = (s * a2 + 1.0f) * a;
  float c = 1.0f / 40320;
  c = c * a2 + -1.0f / 720;
  c = c * a2 + 1.0f / 24;
  c = c * a2 + -0.5f;
  c = c * a2 + 1.0f;
  const auto quadrant = static_cast<uint32_t>(static_cast<int32_t>(q));
  const bool swap = (quadrant & 1) == 1;
  const uint32_t sine_sign = (quadrant & 2) << 30, cosine_sign = ((quadrant + 1) & 2) << 30;
  return {std::bit_cast<float>(std::bit_cast<uint32_t>(swap ? c : s) ^ sine_sign),
          std::bit_cast<float>(std::bit_cast<uint32_t>(swap ? s : c) ^ cosine_sign)};
}

/// The numbers of elements 4 block to 4 block + 3.
NTQ_DEVICE Float4 normal_block(const RandomKey& key, uint64_t block) {
  uint32_t words[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), key.stream, key.step};
  const PhiloxKey philox{static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)};
  for (int i = 0; i < 10; ++i) philox_round(philox, i, words[0], words[1], words[2], words[3]);
  Float4 eps;
  for (int i = 0; i < 4; i += 2) {
    const float u = static_cast<float>((words[i] >> 8) + 1) * 0x1p-24f;  // in (0, 1]
    const float v = static_cast<float>(words[i + 1] >> 8) * 0x1p-24f;
    const float radius = std::sqrt(-2.0f * logarithm(u));
    const SineCosine angle = sine_cosine(v);
    eps.v[i] = radius * angle.cosine;
    eps.v[i + 1] = radius * angle.sine;
  }
  return eps;
}

}  // namespace ntq::cuda
