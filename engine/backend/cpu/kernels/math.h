#pragma once
// Functions on vectors: polynomials of our own with plain operators, so every ISA gives the same bits. Errors are below
// 4e-7 relative for exp and log, 6e-7 for tanh and sigmoid.
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

[[maybe_unused]] inline Vec from_int(VecI v) { return __builtin_convertvector(v, Vec); }

/// exp(x) for x <= 0; 0 below -87. Cody-Waite reduction and the Taylor polynomial of degree 7 on |r| <= ln(2)/2. Of N
/// vectors side by side, whose chains of operations hide each other's latency.
template <int N>
inline void exponentials(const Vec* x, Vec* y) {
  constexpr float kTaylor[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
  Vec r[N], p[N];
  VecI tiny[N], power[N];
  for (int i = 0; i < N; ++i) {
    tiny[i] = x[i] < splat(-87.0f);
    const Vec v = select(tiny[i], splat(-87.0f), x[i]), n = round_even(v * splat(1.44269504f));
    r[i] = (v - n * splat(0.693359375f)) + n * splat(2.12194440e-4f);
    power[i] = (__builtin_convertvector(n, VecI) + 127) << 23;
    p[i] = splat(kTaylor[0]);
  }
  for (int k = 1; k < 8; ++k) {
    for (int i = 0; i < N; ++i) p[i] = p[i] * r[i] + splat(kTaylor[k]);
  }
  for (int i = 0; i < N; ++i) y[i] = select(tiny[i], Vec{}, p[i] * reinterpret_cast<Vec>(power[i]));
}
[[maybe_unused]] inline Vec exponential(Vec x) {
  Vec y;
  exponentials<1>(&x, &y);
  return y;
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

/// 2^n for whole n in [-126, 127].
inline Vec power_of_two(Vec n) { return reinterpret_cast<Vec>((__builtin_convertvector(n, VecI) + 127) << 23); }

/// exp(x) for every x: 0 below -87, infinite above 88.7.
[[maybe_unused]] inline Vec exp_any(Vec x) {
  const VecI large = x > splat(88.72283f), positive = x > Vec{};
  // exp(x) = exp(x - n ln 2) 2^n, n halved so that neither factor overflows; what is left is at most 0.
  Vec n = round_even(select(large | ~positive, Vec{}, x) * splat(1.44269504f)) + splat(1.0f);
  n = select(positive, n, Vec{});
  const Vec rest = (x - n * splat(0.693359375f)) + n * splat(2.12194440e-4f);
  const Vec half = round_even(n * splat(0.5f));
  const Vec y = exponential(select(positive, rest, x)) * power_of_two(half) * power_of_two(n - half);
  const Vec infinite = splat(__builtin_inff());
  return select(x != x, x, select(large, infinite, y));
}

/// ln(x) for every x: not a number below 0, -infinity at 0.
[[maybe_unused]] inline Vec log_any(Vec x) {
  const VecI small = x < splat(0x1p-126f);
  const Vec y = logarithm(select(small, x * splat(0x1p24f), x)) - select(small, splat(16.6355323f), Vec{});
  const Vec infinite = splat(__builtin_inff());
  const VecI usual = (x > Vec{}) & (x < infinite);
  return select(usual, y, select(x == Vec{}, -infinite, select(x > Vec{}, x, x - x - infinite + infinite)));
}

/// Rounded to the nearest whole number, ties to even, for every v.
[[maybe_unused]] inline Vec round_any(Vec v) {
  const Vec size = absolute(v), rounded = (size + splat(0x1p23f)) - splat(0x1p23f);
  const VecI sign = reinterpret_cast<VecI>(v) ^ reinterpret_cast<VecI>(size);
  return select(size < splat(0x1p23f), reinterpret_cast<Vec>(reinterpret_cast<VecI>(rounded) | sign), v);
}
[[maybe_unused]] inline Vec floor_any(Vec v) {
  const Vec rounded = round_any(v);
  return select(rounded > v, rounded - splat(1.0f), rounded);
}

[[maybe_unused]] inline Vec sigmoid(Vec x) { return splat(1.0f) / (splat(1.0f) + exp_any(-x)); }

/// 1 - 2 / (exp(2|x|) + 1) with x's sign; near 0 the Taylor polynomial of degree 11.
[[maybe_unused]] inline Vec hyperbolic_tangent(Vec x) {
  const Vec size = absolute(x), x2 = x * x;
  Vec p = splat(-1382.0f / 155925);
  p = p * x2 + splat(62.0f / 2835);
  p = p * x2 + splat(-17.0f / 315);
  p = p * x2 + splat(2.0f / 15);
  p = p * x2 + splat(-1.0f / 3);
  p = x + x * x2 * p;
  const Vec far = splat(1.0f) - splat(2.0f) / (exp_any(size + size) + splat(1.0f));
  const VecI sign = reinterpret_cast<VecI>(x) ^ reinterpret_cast<VecI>(size);
  return select(size < splat(0.4f), p, reinterpret_cast<Vec>(reinterpret_cast<VecI>(far) | sign));
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
