#pragma once
// Functions of one float, operation by operation as engine/backend/cpu/kernels/math.h has them: the same bits.
#include "engine/backend/cuda/launch.h"

namespace ntq::cuda {

NTQ_DEVICE uint32_t bits_of(float v) { return __builtin_bit_cast(uint32_t, v); }
NTQ_DEVICE float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

NTQ_DEVICE float absolute(float v) { return float_of(bits_of(v) & 0x7fffffffu); }
NTQ_DEVICE bool is_finite(float v) { return absolute(v) < float_of(0x7f800000u); }
/// Nearest integer, ties to even; exact for |v| < 2^22.
NTQ_DEVICE float round_even(float v) { return (v + 12582912.0f) - 12582912.0f; }
/// v where `of` is finite, else not a number. A v of -0 becomes 0.
NTQ_DEVICE float where_finite(float of, float v) { return v + (of - of); }

/// 2^n for whole n in [-126, 127].
NTQ_DEVICE float power_of_two(float n) { return float_of(static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23); }

/// exp(x) for x <= 0; 0 below -87.
NTQ_DEVICE float exponential(float x) {
  const bool tiny = x < -87.0f;
  const float v = tiny ? -87.0f : x, n = round_even(v * 1.44269504f);
  const float r = (v - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return x != x ? x : tiny ? 0.0f : p * power_of_two(n);
}

/// ln(x) for normal x > 0.
NTQ_DEVICE float logarithm(float x) {
  const uint32_t bits = bits_of(x);
  int32_t e = static_cast<int32_t>(bits >> 23) - 127;
  float m = float_of((bits & 0x007fffffu) | 0x3f800000u);
  const bool high = m > 1.41421356f;
  m = high ? m * 0.5f : m;
  e += high ? 1 : 0;
  const float t = (m - 1.0f) / (m + 1.0f), t2 = t * t;
  float p = 2.0f / 9;
  p = p * t2 + 2.0f / 7;
  p = p * t2 + 2.0f / 5;
  p = p * t2 + 2.0f / 3;
  p = p * t2 + 2.0f;
  return p * t + static_cast<float>(e) * 0.693147181f;
}

/// exp(x) for every x: 0 below -87, infinite above 88.7.
NTQ_DEVICE float exp_any(float x) {
  if (x != x) return x;
  if (x > 88.72283f) return float_of(0x7f800000u);
  if (!(x > 0.0f)) return exponential(x);
  const float n = round_even(x * 1.44269504f) + 1.0f, half = round_even(n * 0.5f);
  const float rest = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  return exponential(rest) * power_of_two(half) * power_of_two(n - half);
}

/// ln(x) for every x: not a number below 0, -infinity at 0.
NTQ_DEVICE float log_any(float x) {
  const float infinite = float_of(0x7f800000u);
  if (x == 0.0f) return -infinite;
  if (!(x > 0.0f)) return float_of(0x7fc00000u);
  if (x == infinite) return x;
  const bool small = x < 0x1p-126f;
  return logarithm(small ? x * 0x1p24f : x) - (small ? 16.6355323f : 0.0f);
}

/// Rounded to the nearest whole number, ties to even, for every v.
NTQ_DEVICE float round_any(float v) {
  const float size = absolute(v), rounded = (size + 0x1p23f) - 0x1p23f;
  return size < 0x1p23f ? float_of(bits_of(rounded) | (bits_of(v) ^ bits_of(size))) : v;
}
NTQ_DEVICE float floor_any(float v) {
  const float rounded = round_any(v);
  return rounded > v ? rounded - 1.0f : rounded;
}

NTQ_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + exp_any(-x)); }

NTQ_DEVICE float hyperbolic_tangent(float x) {
  const float size = absolute(x), x2 = x * x;
  float p = -1382.0f / 155925;
  p = p * x2 + 62.0f / 2835;
  p = p * x2 + -17.0f / 315;
  p = p * x2 + 2.0f / 15;
  p = p * x2 + -1.0f / 3;
  p = x + x * x2 * p;
  const float far = 1.0f - 2.0f / (exp_any(size + size) + 1.0f);
  return size < 0.4f ? p : float_of(bits_of(far) | (bits_of(x) ^ bits_of(size)));
}

}  // namespace ntq::cuda
