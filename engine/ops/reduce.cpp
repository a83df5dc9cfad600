#include "engine/ops/reduce.h"

#include "engine/backend/registry.h"
#include "engine/ops/binary.h"
#include "engine/ops/unary.h"

namespace ntq {
namespace {

using Tensors = std::vector<Tensor>;

Tensor scaled_sum(const char* name, const Tensor& x, double factor) {
  const double total = backend_for(x.device()).sum(x.f32(), x.numel());
  Tensor y = Tensor::full({1}, static_cast<float>(total * factor), x.device());
  return record({name}, y, {x}, [shape = x.shape(), factor](const Tensor& dy) {
    return Tensors{Tensor::full(shape, static_cast<float>(dy.item() * factor), dy.device())};
  });
}

struct Folded {
  Shape shape;
  AxisView view;
};

Folded folded(const char* op, const Shape& shape, Axis axis) {
  const int rank = shape.rank(), at = axis.index < 0 ? axis.index + rank : axis.index;
  check(at >= 0 && at < rank && shape[at] > 0, op, ": there is no axis ", axis.index, " with elements in ", shape);
  std::vector<int64_t> sizes(shape.sizes().begin(), shape.sizes().end());
  Folded out;
  for (int i = 0; i < rank; ++i) (i < at ? out.view.outer : i == at ? out.view.axis : out.view.inner) *= shape[i];
  sizes[static_cast<size_t>(at)] = 1;
  out.shape = Shape(std::span<const int64_t>(sizes));
  return out;
}

OpInfo op_along(const char* name, Axis axis) {
  OpInfo op{name};
  if (graph_is_recorded()) op.attributes = {{"axis", int64_t{axis.index}}};
  return op;
}

Tensor apply(Fold op, const Tensor& x, const Folded& to) {
  Tensor y = Tensor::empty(to.shape, DType::f32, x.device());
  backend_for(x.device()).fold(op, to.view, x.f32(), y.f32());
  return y;
}

/// `small`, of x's shape but for an axis of size 1, in the shape of x.
Tensor spread(const Tensor& small, const Shape& shape, const AxisView& view) {
  Tensor out = Tensor::zeros(shape, DType::f32, small.device());
  Backend& backend = backend_for(small.device());
  if (view.inner == 1) {
    backend.binary_along(Binary::add, {1, view.outer, view.axis}, out.f32(), small.f32(), false, out.f32());
    return out;
  }
  const int64_t size = view.axis * view.inner;
  for (int64_t o = 0; o < view.outer; ++o) {
    backend.binary_along(Binary::add, {view.axis, view.inner, 1}, out.f32() + o * size, small.f32() + o * view.inner,
                         false, out.f32() + o * size);
  }
  return out;
}

Tensor sum_over(const char* op, const Tensor& x, Axis axis) {
  const Folded to = folded(op, x.shape(), axis);
  return record(op_along(op, axis), apply(Fold::sum, x, to), {x},
                [shape = x.shape(), view = to.view](const Tensor& dy) { return Tensors{spread(dy, shape, view)}; });
}

/// The gradient goes to the elements that are the extreme one, in equal parts.
Tensor extreme(const char* op, Fold fold, const Tensor& x, Axis axis) {
  const Folded to = folded(op, x.shape(), axis);
  const Tensor y = apply(fold, x, to);
  return record(op_along(op, axis), y, {x}, [x = x.detach(), y = y.detach(), to](const Tensor& dy) {
    const Tensor chosen = equal(x, spread(y, x.shape(), to.view));
    const Tensor share = div(dy, apply(Fold::sum, chosen, to));
    return Tensors{mul(chosen, spread(share, x.shape(), to.view))};
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

Tensor min(const Tensor& x) { return extreme_of_all("min", Fold::min, x); }
Tensor max(const Tensor& x) { return extreme_of_all("max", Fold::max, x); }

Tensor sum(const Tensor& x, Axis axis) { return sum_over("sum", x, axis); }
Tensor mean(const Tensor& x, Axis axis) {
  return scale(sum_over("mean", x, axis), 1.0f / static_cast<float>(x.size(axis.index)));
}
Tensor min(const Tensor& x, Axis axis) { return extreme("min", Fold::min, x, axis); }
Tensor max(const Tensor& x, Axis axis) { return extreme("max", Fold::max, x, axis); }

}  // namespace ntq
