#pragma once
// One convolution, or one of its two gradients, as cuDNN is asked for it.
#include <array>
#include <cstdint>
#include <string>

#include "engine/backend/args.h"

namespace ntq::cudnn {

enum class Direction { forward, grad_input, grad_weight };

/// What values are stored as and how they are multiplied; sums are float32.
/// float32: float32 and nothing less. tf32: stored as float32, factors may be rounded to 11 bits, on tensor cores.
/// bf16: x, w and y, or the gradients in their places, all stored as bfloat16.
enum class Arithmetic { float32, tf32, bf16 };

/// Of all three tensors, in bytes: the most that an engine asks for. Less would mean another engine, and so other bits
/// for the same numbers elsewhere in memory.
constexpr int64_t kAlignment = 16;

struct Problem {
  Direction direction = Direction::forward;
  ConvGeometry geometry;
  Arithmetic arithmetic = Arithmetic::float32;

  using Key = std::array<int64_t, 14>;
  /// Equal for problems that one plan solves.
  Key key() const {
    const ConvGeometry& g = geometry;
    return {static_cast<int64_t>(direction),
            static_cast<int64_t>(arithmetic),
            g.batch,
            g.in_h,
            g.in_w,
            g.in_c,
            g.out_h,
            g.out_w,
            g.out_c,
            g.kernel_h,
            g.kernel_w,
            g.stride,
            g.pad,
            g.groups};
  }
  /// "grad_weight of {512,32,32,3} by {64,3,3,3}, stride 1, padding 1, float32".
  std::string describe() const;
};

std::string name_of(Direction direction);
std::string name_of(Arithmetic arithmetic);

}  // namespace ntq::cudnn
