#pragma once
// Conversion of types.
#include "engine/tensor.h"

namespace ntq {

/// The values as float32 or bfloat16, to the nearest, ties to even; `x` itself where it has the type already. On x's
/// device; recorded, the gradient is cast back. Throws std::invalid_argument for other types, DeviceError when the
/// device has no bfloat16.
Tensor cast(const Tensor& x, DType type);

/// The values as float32 (half and bfloat16 exactly, float64 and integers rounded to nearest); `x` itself when it is
/// float32. On the CPU; not recorded. Throws std::invalid_argument for an undefined tensor.
Tensor cast_f32(const Tensor& x);

/// Whole numbers held as float32 (codes, masks) as int8; others are rounded to nearest. On the CPU; not recorded.
/// Throws std::invalid_argument for an undefined tensor, another type, or a value outside of int8; cast_u8 of uint8.
Tensor cast_i8(const Tensor& x);
Tensor cast_u8(const Tensor& x);

}  // namespace ntq
