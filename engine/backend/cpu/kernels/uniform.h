#pragma once
// A uniform quantizer on vectors: codes, and the gradients of LSQ (arXiv 1902.08153, Eq. 1-3). Plain operators only:
// the same bits on every ISA.
#include "engine/backend/cpu/kernels/bytes.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

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
