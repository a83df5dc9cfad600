#pragma once
// How a smaller tensor lies in a larger one. For ops.
#include "engine/backend/args.h"
#include "engine/tensor.h"

namespace ntq {

/// `large` as {outer, axis, inner}, `small` having the axis alone. Throws std::invalid_argument, beginning with `op`,
/// when it does not lie in it (binary.h).
AxisSplit lies_along(const char* op, const Shape& large, const Shape& small);

/// The gradient of the smaller operand: sums of `dy`, of `split`, over all but the axis, in the shape and type of
/// `small`.
Tensor sum_to_axis(const Tensor& dy, const AxisSplit& split, const Tensor& small);

}  // namespace ntq
