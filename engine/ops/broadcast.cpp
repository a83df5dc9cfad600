#include "engine/ops/broadcast.h"

#include "engine/ops/cast.h"
#include "engine/ops/on_device.h"

namespace ntq {

AxisSplit lies_along(const char* op, const Shape& large, const Shape& small) {
  if (small.numel() == 1) return {1, 1, large.numel()};
  const int missing = large.rank() - small.rank();
  AxisSplit split;
  bool fits = missing >= 0, begun = false, ended = false;
  for (int axis = 0; fits && axis < large.rank(); ++axis) {
    const int64_t size = large[axis], own = axis < missing ? 1 : small[axis - missing];
    if (own == size && (size != 1 || (begun && !ended))) {
      fits = !ended;
      begun = true;
      split.axis *= size;
    } else {
      fits = own == 1;
      ended = begun;
      (begun ? split.inner : split.outer) *= size;
    }
  }
  check(fits, op, ": shapes ", large, " and ", small, " neither agree nor lie along each other");
  return split;
}

Tensor sum_to_axis(const Tensor& dy, const AxisSplit& split, const Tensor& small) {
  const auto [outer, axis, inner] = split;
  const char* const op = "broadcast";
  Tensor out = Tensor::empty(small.shape(), DType::f32, dy.device());
  if (axis == 1) {
    backend_for(op, Primitive::sum, {dy}).sum(dy.view(), 1.0, out.view());
  } else if (inner == 1) {
    backend_for(op, Primitive::sum_rows, {dy}).sum_rows(dy.view(), out.view());
  } else {
    // {outer, axis, inner} -> {outer, axis} -> {axis}
    Backend& backend = backend_for(op, Primitive::fold, {dy});
    Tensor rows = outer == 1 ? out : Tensor::empty({outer, axis}, DType::f32, dy.device());
    backend.fold(Fold::sum, {outer * axis, inner, 1}, dy.view(), rows.view());
    if (outer > 1) backend.fold(Fold::sum, {1, outer, axis}, rows.view(), out.view());
  }
  return cast(out, small.dtype());
}

}  // namespace ntq
