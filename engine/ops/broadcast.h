#pragma once
// How a smaller tensor lies in a larger one. For ops.
#include "engine/backend/backend.h"
#include "engine/tensor.h"

namespace ntq {

/// `large` as {outer, axis, inner}, `small` having the axis alone. Throws std::invalid_argument, beginning with `op`,
/// when it does not lie in it (binary.h).
AxisView lies_along(const char* op, const Shape& large, const Shape& small);

/// The gradient of the smaller operand: sums of `dy`, of `view`, over all but the axis, in the shape of `small`.
Tensor sum_to_axis(const Tensor& dy, const AxisView& view, const Shape& small);

}  // namespace ntq
