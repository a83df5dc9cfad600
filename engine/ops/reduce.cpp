#include "engine/ops/reduce.h"

#include "engine/ops/binary.h"
#include "engine/ops/on_device.h"
#include "engine/ops/unary.h"

namespace ntq {
namespace {

using Tensors = std::vector<Tensor>;

/// factor * the sum of x, {1}, float32.
Tensor times_sum(const char* op, const Tensor& x, double factor) {
  Tensor y = Tensor::empty({1}, DType::f32, x.device());
  backend_for(op, Primitive::sum, {x}).sum(x.view(), factor, y.view());
  return y;
}

/// `small`, of x's shape but for an axis of size 1 and as x or float32, in the shape and type of x.
Tensor spread(const Tensor& small, const Shape& shape, DType type, const AxisSplit& split) {
  Tensor out = Tensor::empty(shape, type, small.device());
  backend_for("spread", Primitive::spread, {out}).spread(split, small.view(), out.view());
  return out;
}

Tensor scaled_sum(const char* name, const Tensor& x, double factor) {
  return record({name}, times_sum(name, x, factor), {x},
                [name, shape = x.shape(), type = x.dtype(), factor](const Tensor& dy) {
                  return Tensors{spread(times_sum(name, dy, factor), shape, type, {1, shape.numel(), 1})};
                });
}

struct Folded {
  Shape shape;
  AxisSplit split;
};

Folded folded(const char* op, const Shape& shape, Axis axis) {
  const int rank = shape.rank(), at = axis.index < 0 ? axis.index + rank : axis.index;
  check(at >= 0 && at < rank && shape[at] > 0, op, ": there is no axis ", axis.index, " with elements in ", shape);
  std::vector<int64_t> sizes(shape.sizes().begin(), shape.sizes().end());
  Folded out;
  for (int i = 0; i < rank; ++i) (i < at ? out.split.outer : i == at ? out.split.axis : out.split.inner) *= shape[i];
  sizes[static_cast<size_t>(at)] = 1;
  out.shape = Shape(std::span<const int64_t>(sizes));
  return out;
}

OpInfo op_along(const char* name, Axis axis) {
  OpInfo op{name};
  if (graph_is_recorded()) op.attributes = {{"axis", int64_t{axis.index}}};
  return op;
}

Tensor apply(const char* name, Fold op, const Tensor& x, const Folded& to) {
  Tensor y = Tensor::empty(to.shape, x.dtype(), x.device());
  backend_for(name, Primitive::fold, {x}).fold(op, to.split, x.view(), y.view());
  return y;
}

Tensor sum_over(const char* op, const Tensor& x, Axis axis) {
  const Folded to = folded(op, x.shape(), axis);
  return record(op_along(op, axis), apply(op, Fold::sum, x, to), {x},
                [shape = x.shape(), split = to.split](const Tensor& dy) {
                  return Tensors{spread(dy, shape, dy.dtype(), split)};
                });
}

/// The gradient goes to the elements that are the extreme one, in equal parts.
Tensor extreme(const char* op, Fold fold, const Tensor& x, Axis axis) {
  const Folded to = folded(op, x.shape(), axis);
  const Tensor y = apply(op, fold, x, to);
  return record(op_along(op, axis), y, {x}, [op, x = x.detach(), y = y.detach(), to](const Tensor& dy) {
    const Tensor chosen = equal(x, spread(y, x.shape(), x.dtype(), to.split));
    const Tensor share = div(dy, apply(op, Fold::sum, chosen, to));
    return Tensors{mul(chosen, spread(share, x.shape(), x.dtype(), to.split))};
  });
}

Tensor extreme_of_all(const char* op, Fold fold, const Tensor& x) {
  check(x.numel() > 0, op, ": the tensor is empty");
  const Tensor y = extreme(op, fold,
                           record({"reshape"}, x.view({x.numel()}), {x},
                                  [shape = x.shape()](const Tensor& dy) { return Tensors{dy.view(shape)}; }),
                           {0});
  return y;
}

}  // namespace

Tensor sum(const Tensor& x) { return scaled_sum("sum", x, 1.0); }

Tensor mean(const Tensor& x) {
  check(x.numel() > 0, "mean: the tensor is empty");
  return scaled_sum("mean", x, 1.0 / static_cast<double>(x.numel()));
}

Tensor sum_abs(const Tensor& x) {
  Tensor y = Tensor::empty({1}, DType::f64, x.device());
  backend_for("sum_abs", Primitive::sum_abs, {x}).sum_abs(x.view(), y.view());
  return y;
}

bool all_finite(const Tensor& x) {
  Tensor y = Tensor::empty({1}, DType::f32, x.device());
  backend_for("all_finite", Primitive::all_finite, {x}).all_finite(x.view(), y.view());
  return y.item() != 0.0f;
}

Tensor min(const Tensor& x) { return extreme_of_all("min", Fold::min, x); }
Tensor max(const Tensor& x) { return extreme_of_all("max", Fold::max, x); }

Tensor sum(const Tensor& x, Axis axis) { return sum_over("sum", x, axis); }
Tensor mean(const Tensor& x, Axis axis) {
  return scale(sum_over("mean", x, axis), 1.0f / static_cast<float>(x.size(axis.index)));
}
Tensor min(const Tensor& x, Axis axis) { return extreme("min", Fold::min, x, axis); }
Tensor max(const Tensor& x, Axis axis) { return extreme("max", Fold::max, x, axis); }

}  // namespace ntq
