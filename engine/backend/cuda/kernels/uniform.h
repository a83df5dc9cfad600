#pragma once
// A uniform quantizer on floats: codes, and the gradients of LSQ (arXiv 1902.08153, Eq. 1-3). Operation by operation as
// engine/backend/cpu/kernels/uniform.h has it: the same bits.
#include "engine/backend/args.h"
#include "engine/backend/cuda/kernels/math.h"

namespace ntq::cuda {

struct Uniform {
  float step = 1, low = 0, high = 0;

  /// v / step clamped to the range and rounded to even.
  NTQ_DEVICE float code(float v) const {
    const float t = v / step, not_below = t < low ? low : t;
    return round_even(not_below > high ? high : not_below);
  }
  NTQ_DEVICE float quantized(float v) const { return where_finite(v, code(v) * step); }
  /// The code as a byte, two's complement; 0 of what is not a number.
  NTQ_DEVICE uint8_t byte(float v) const { return static_cast<uint8_t>(v == v ? static_cast<int32_t>(code(v)) : 0); }
  /// Whether the value's gradient g passes; `of_step` = g d, d = round(v / step) - v / step inside, low or high
  /// outside.
  NTQ_DEVICE bool passes(float v, float g, float& of_step) const {
    const float t = v / step;
    const bool below = t <= low, above = t >= high;
    of_step = g * (below ? low : above ? high : round_even(t) - t);
    return !(below || above);
  }
};

}  // namespace ntq::cuda
