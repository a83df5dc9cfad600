#include "engine/ops/broadcast.h"

#include "engine/backend/registry.h"

namespace ntq {

AxisView lies_along(const char* op, const Shape& large, const Shape& small) {
  if (small.numel() == 1) return {1, 1, large.numel()};
  const int missing = large.rank() - small.rank();
  AxisView view;
  bool fits = missing >= 0, begun = false, ended = false;
  for (int axis = 0; fits && axis < large.rank(); ++axis) {
    const int64_t size = large[axis], own = axis < missing ? 1 : small[axis - missing];
    if (own == size && (size != 1 || (begun && !ended))) {
      fits = !ended;
      begun = true;
      view.axis *= size;
    } else {
      fits = own == 1;
      ended = begun;
      (begun ? view.inner : view.outer) *= size;
    }
  }
  check(fits, op, ": shapes ", large, " and ", small, " neither agree nor lie along each other");
  return view;
}

Tensor sum_to_axis(const Tensor& dy, const AxisView& view, const Shape& small) {
  Backend& backend = backend_for(dy.device());
  Tensor out = Tensor::empty(small, DType::f32, dy.device());
  if (view.axis == 1) {
    out.fill(static_cast<float>(backend.sum(dy.f32(), dy.numel())));
  } else if (view.inner == 1) {
    backend.sum_rows(dy.f32(), out.f32(), view.outer, view.axis);
  } else {
    // {outer, axis, inner} -> {outer, axis} -> {axis}
    Tensor rows = view.outer == 1 ? out : Tensor::empty({view.outer, view.axis}, DType::f32, dy.device());
    backend.fold(Fold::sum, {view.outer * view.axis, view.inner, 1}, dy.f32(), rows.f32());
    if (view.outer > 1) backend.fold(Fold::sum, {1, view.outer, view.axis}, rows.f32(), out.f32());
  }
  return out;
}

}  // namespace ntq
