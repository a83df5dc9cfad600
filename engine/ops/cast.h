#pragma once
// Conversion of stored types to float32.
#include "engine/tensor.h"

namespace ntq {

/// The values as float32 (half and bfloat16 exactly, float64 and integers rounded to nearest); `x` itself when it is
/// float32. On the CPU; not recorded. Throws std::invalid_argument for an undefined tensor.
Tensor cast_f32(const Tensor& x);

}  // namespace ntq
