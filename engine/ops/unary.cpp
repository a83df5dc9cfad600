#include "engine/ops/unary.h"

#include "engine/ops/binary.h"
#include "engine/ops/on_device.h"

namespace ntq {
namespace {

Tensor like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

const char* name_of(Unary op) {
  switch (op) {
    case Unary::neg: return "neg";
    case Unary::abs: return "abs";
    case Unary::square: return "square";
    case Unary::sqrt: return "sqrt";
    case Unary::exp: return "exp";
    case Unary::log: return "log";
    case Unary::tanh: return "tanh";
    case Unary::sigmoid: return "sigmoid";
    case Unary::sign: return "sign";
    case Unary::floor: return "floor";
    case Unary::round: return "round";
  }
  return "";
}

Tensor apply(Unary op, const Tensor& x) {
  Tensor y = like(x);
  backend_for(name_of(op), Primitive::unary, {x}).unary(op, x.view(), y.view());
  return y;
}

using Tensors = std::vector<Tensor>;

/// op(x) whose gradient is slope(x, y, dy), x and y outside of the graph.
template <class Slope>
Tensor smooth(Unary op, const Tensor& x, Slope slope) {
  const Tensor y = apply(op, x);
  return record({name_of(op)}, y, {x},
                [x = x.detach(), y = y.detach(), slope](const Tensor& dy) { return Tensors{slope(x, y, dy)}; });
}

/// op(x) without a gradient to pass on.
Tensor steps(Unary op, const Tensor& x) {
  return record({name_of(op)}, apply(op, x), {x},
                [](const Tensor& dy) { return Tensors{Tensor::zeros(dy.shape(), dy.dtype(), dy.device())}; });
}

Tensor one_minus(const Tensor& x) { return sub(1.0f, x); }

}  // namespace

Tensor neg(const Tensor& x) {
  return smooth(Unary::neg, x, [](const Tensor&, const Tensor&, const Tensor& dy) { return neg(dy); });
}
Tensor abs(const Tensor& x) {
  return smooth(Unary::abs, x, [](const Tensor& v, const Tensor&, const Tensor& dy) { return mul(dy, sign(v)); });
}
Tensor square(const Tensor& x) {
  return smooth(Unary::square, x,
                [](const Tensor& v, const Tensor&, const Tensor& dy) { return scale(mul(dy, v), 2.0f); });
}
Tensor sqrt(const Tensor& x) {
  return smooth(Unary::sqrt, x,
                [](const Tensor&, const Tensor& y, const Tensor& dy) { return div(scale(dy, 0.5f), y); });
}
Tensor exp(const Tensor& x) {
  return smooth(Unary::exp, x, [](const Tensor&, const Tensor& y, const Tensor& dy) { return mul(dy, y); });
}
Tensor log(const Tensor& x) {
  return smooth(Unary::log, x, [](const Tensor& v, const Tensor&, const Tensor& dy) { return div(dy, v); });
}
Tensor tanh(const Tensor& x) {
  return smooth(Unary::tanh, x,
                [](const Tensor&, const Tensor& y, const Tensor& dy) { return mul(dy, one_minus(square(y))); });
}
Tensor sigmoid(const Tensor& x) {
  return smooth(Unary::sigmoid, x,
                [](const Tensor&, const Tensor& y, const Tensor& dy) { return mul(dy, mul(y, one_minus(y))); });
}

Tensor sign(const Tensor& x) { return steps(Unary::sign, x); }
Tensor floor(const Tensor& x) { return steps(Unary::floor, x); }
Tensor round(const Tensor& x) { return steps(Unary::round, x); }

Tensor round_straight_through(const Tensor& x) {
  return record({"round_straight_through"}, apply(Unary::round, x), {x}, [](const Tensor& dy) { return Tensors{dy}; });
}

Tensor clamp(const Tensor& x, float low, float high) {
  check(low <= high, "clamp: expected low <= high, found ", low, " and ", high);
  OpInfo op{"clamp"};
  if (graph_is_recorded()) op.attributes = {{"low", double{low}}, {"high", double{high}}};
  const Tensor v = x.detach();
  const auto value = [&] {
    const GraphPause pause;
    return min(max(v, low), high);
  };
  return record(op, value(), {x}, [v, low, high](const Tensor& dy) {
    return Tensors{mul(dy, mul(less_equal(low, v), less_equal(v, high)))};
  });
}

Tensor scale(const Tensor& x, float alpha) {
  Tensor y = like(x);
  backend_for("scale", Primitive::scale, {x}).scale(alpha, x.view(), y.view());
  OpInfo op{"scale"};
  if (graph_is_recorded()) op.attributes = {{"alpha", double{alpha}}};
  return record(op, y, {x}, [alpha](const Tensor& dy) { return Tensors{scale(dy, alpha)}; });
}

Tensor relu(const Tensor& x) {
  Tensor y = like(x);
  backend_for("relu", Primitive::relu, {x}).relu(x.view(), y.view());
  return record({"relu"}, y, {x}, [y = y.detach()](const Tensor& dy) {
    Tensor dx = like(dy);
    backend_for("relu", Primitive::relu_grad, {y, dy}).relu_grad(y.view(), dy.view(), dx.view());
    return Tensors{dx};
  });
}

}  // namespace ntq
