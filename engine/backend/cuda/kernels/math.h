#pragma once
// Functions of one float32 with the bits of the CPU's (engine/backend/cpu/kernels/math.h): the same plain operations in
// the same order. Errors are below 4e-7 relative for exp and log, 6e-7 for tanh and sigmoid.
#include <bit>
#include <cmath>
#include <cstdint>

#include "engine/backend/cuda/launch.h"

namespace ntq::cuda {

NTQ_DEVICE float absolute(float v) { return std::bit_cast<float>(std::bit_cast<uint32_t>(v) & 0x7fffffffu); }
/// With the sign of `sign` where v has none.
NTQ_DEVICE float with_sign_of(float sign, float v) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(v) | (std::bit_cast<uint32_t>(sign) & 0x80000000u));
}
NTQ_DEVICE float infinite() { return std::bit_cast<float>(0x7f800000u); }
NTQ_DEVICE float not_a_number() { return std::bit_cast<float>(0x7fc00000u); }
NTQ_DEVICE bool is_finite(float v) { return absolute(v) < infinite(); }
/// v where `of` is finite, else not a number. A v of -0 becomes 0.
NTQ_DEVICE float where_finite(float of, float v) { return v + (of - of); }

/// Nearest whole number, ties to even; exact for |v| < 2^22.
NTQ_DEVICE float round_even(float v) {
  const float magic = 12582912.0f;  // 1.5 * 2^23
  return (v + magic) - magic;
}
/// The same for every v.
NTQ_DEVICE float round_any(float v) {
  const float size = absolute(v);
  return size < 0x1p23f ? with_sign_of(v, (size + 0x1p23f) - 0x1p23f) : v;
}
NTQ_DEVICE float floor_any(float v) {
  const float rounded = round_any(v);
  return rounded > v ? rounded - 1.0f : rounded;
}

/// 2^n for whole n in [-126, 127].
NTQ_DEVICE float power_of_two(float n) { return std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23); }

/// exp(x) for x <= 0; 0 below -87. Cody-Waite reduction and the Taylor polynomial of degree 7 on |r| <= ln(2)/2.
NTQ_DEVICE float exponential(float x) {
  if (x < -87.0f) return 0.0f;
  if (x != x) return x;
  const float n = round_even(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * power_of_two(n);
}

/// exp(x) for every x: 0 below -87, infinite above 88.7.
NTQ_DEVICE float exp_any(float x) {
  if (x > 88.72283f) return infinite();
  if (!(x > 0.0f)) return exponential(x);
  // exp(x) = exp(x - n ln 2) 2^n, n halved so that neither factor overflows; what is left is at most 0.
  const float n = round_even(x * 1.44269504f) + 1.0f;
  const float rest = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  const float half = round_even(n * 0.5f);
  return exponential(rest) * power_of_two(half) * power_of_two(n - half);
}

/// ln(x) for normal x > 0: x = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m - 1) / (m + 1)).
NTQ_DEVICE float logarithm(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  int32_t e = (bits >> 23) - 127;
  float m = std::bit_cast<float>((bits & 0x007fffff) | 0x3f800000);
  if (m > 1.41421356f) {
    m = m * 0.5f;
    ++e;
  }
  const float t = (m - 1.0f) / (m + 1.0f), t2 = t * t;
  float p = 2.0f / 9;
  p = p * t2 + 2.0f / 7;
  p = p * t2 + 2.0f / 5;
  p = p * t2 + 2.0f / 3;
  p = p * t2 + 2.0f;
  return p * t + static_cast<float>(e) * 0.693147181f;
}

/// ln(x) for every x: not a number below 0, -infinity at 0.
NTQ_DEVICE float log_any(float x) {
  if (x == 0.0f) return -infinite();
  if (!(x > 0.0f)) return x - x - infinite() + infinite();
  if (x == infinite()) return x;
  const bool small = x < 0x1p-126f;
  return logarithm(small ? x * 0x1p24f : x) - (small ? 16.6355323f : 0.0f);
}

NTQ_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + exp_any(-x)); }

/// 1 - 2 / (exp(2|x|) + 1) with x's sign; near 0 the Taylor polynomial of degree 11.
NTQ_DEVICE float hyperbolic_tangent(float x) {
  const float size = absolute(x), x2 = x * x;
  if (!(size < 0.4f)) return with_sign_of(x, 1.0f - 2.0f / (exp_any(size + size) + 1.0f));
  float p = -1382.0f / 155925;
  p = p * x2 + 62.0f / 2835;
  p = p * x2 + -17.0f / 315;
  p = p * x2 + 2.0f / 15;
  p = p * x2 + -1.0f / 3;
  return x + x * x2 * p;
}

}  // namespace ntq::cuda
