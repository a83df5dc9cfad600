#include "engine/ops/binary.h"

#include "engine/backend/registry.h"
#include "engine/ops/broadcast.h"
#include "engine/ops/on_device.h"
#include "engine/ops/unary.h"

namespace ntq {
namespace {

using Tensors = std::vector<Tensor>;

const char* name_of(Binary op) {
  switch (op) {
    case Binary::add: return "add";
    case Binary::sub: return "sub";
    case Binary::mul: return "mul";
    case Binary::div: return "div";
    case Binary::min: return "min";
    case Binary::max: return "max";
    case Binary::less: return "less";
    case Binary::less_equal: return "less_equal";
    case Binary::equal: return "equal";
  }
  return "";
}

/// Two operands and how they lie in each other.
struct Pair {
  Tensor a, b;
  AxisSplit split;   // of the larger one, when they differ
  bool same = true;  // shapes are equal, and types
  bool a_large = true;

  const Tensor& large() const { return a_large ? a : b; }
  const Tensor& small() const { return a_large ? b : a; }
};

Pair pair_of(Binary op, const Operand& left, const Operand& right) {
  Pair p;
  p.a = left.beside(right), p.b = right.beside(left);
  // A number is float32, and lies in one value of another type.
  const bool lone = p.a.numel() == 1 && p.b.numel() == 1 && p.a.dtype() != p.b.dtype();
  p.same = p.a.shape() == p.b.shape() && !lone;
  p.a_large = p.a.numel() > p.b.numel() || (p.a.numel() == p.b.numel() && p.a.shape().rank() >= p.b.shape().rank());
  if (lone) p.a_large = p.b.dtype() == DType::f32;
  if (!p.same) p.split = lies_along(name_of(op), p.large().shape(), p.small().shape());
  return p;
}

Tensor apply(Binary op, const Pair& p) {
  const Tensor& large = p.large();
  Tensor y = Tensor::empty(large.shape(), large.dtype(), large.device());
  if (p.same) {
    backend_for(name_of(op), Primitive::binary, {p.a, p.b}).binary(op, p.a.view(), p.b.view(), y.view());
  } else {
    const bool alike = p.a.dtype() == p.b.dtype();
    backend_for(name_of(op), Primitive::binary_along, {large, alike ? p.small() : Tensor()},
                {alike ? Tensor() : p.small()})
        .binary_along({op, p.split, !p.a_large}, large.view(), p.small().view(), y.view());
  }
  return y;
}

/// Records a op b; `slopes(a, b, dy)` gives both gradients in the shape of the larger operand.
template <class Slopes>
Tensor recorded(Binary op, const Pair& p, Slopes slopes) {
  Pair values = p;
  values.a = p.a.detach(), values.b = p.b.detach();
  const bool wants_a = p.a.requires_grad(), wants_b = p.b.requires_grad();
  return record({name_of(op)}, apply(op, p), {p.a, p.b}, [values, wants_a, wants_b, slopes](const Tensor& dy) {
    auto [da, db] = slopes(values.a, values.b, dy, wants_a, wants_b);
    if (!values.same) {
      Tensor& small = values.a_large ? db : da;
      if (small) small = sum_to_axis(small, values.split, values.small());
    }
    return Tensors{da, db};
  });
}

struct Slopes {
  Tensor a, b;
};

/// Half of the gradient each where both are equal.
Tensor extreme(Binary op, const Operand& a, const Operand& b) {
  const bool largest = op == Binary::max;
  return recorded(op, pair_of(op, a, b), [largest](const Tensor& x, const Tensor& y, const Tensor& dy, bool, bool) {
    const Tensor first = largest ? less(y, x) : less(x, y), tie = scale(equal(x, y), 0.5f);
    const Tensor to_a = mul(dy, add(first, tie));
    return Slopes{to_a, sub(dy, to_a)};
  });
}

/// Its gradient is 0, so there is none to record; a graph has it all the same.
Tensor compared(Binary op, const Operand& a, const Operand& b) {
  const Pair p = pair_of(op, a, b);
  const Tensor y = apply(op, p);
  note_op({name_of(op)}, y, {p.a, p.b});
  return y;
}

}  // namespace

Tensor Operand::beside(const Operand& other) const {
  if (tensor_) return tensor_;
  return Tensor::full({1}, value_, other.tensor_ ? other.tensor_.device() : Device{});
}

Tensor add(const Operand& a, const Operand& b) {
  return recorded(Binary::add, pair_of(Binary::add, a, b),
                  [](const Tensor&, const Tensor&, const Tensor& dy, bool wa, bool wb) {
                    return Slopes{wa ? dy : Tensor(), wb ? dy : Tensor()};
                  });
}

Tensor sub(const Operand& a, const Operand& b) {
  return recorded(Binary::sub, pair_of(Binary::sub, a, b),
                  [](const Tensor&, const Tensor&, const Tensor& dy, bool wa, bool wb) {
                    return Slopes{wa ? dy : Tensor(), wb ? neg(dy) : Tensor()};
                  });
}

Tensor mul(const Operand& a, const Operand& b) {
  return recorded(Binary::mul, pair_of(Binary::mul, a, b),
                  [](const Tensor& x, const Tensor& y, const Tensor& dy, bool wa, bool wb) {
                    return Slopes{wa ? mul(dy, y) : Tensor(), wb ? mul(dy, x) : Tensor()};
                  });
}

Tensor div(const Operand& a, const Operand& b) {
  return recorded(Binary::div, pair_of(Binary::div, a, b),
                  [](const Tensor& x, const Tensor& y, const Tensor& dy, bool wa, bool wb) {
                    const Tensor da = div(dy, y);  // d(x / y)/dy = -x / y^2
                    return Slopes{wa ? da : Tensor(), wb ? neg(mul(da, div(x, y))) : Tensor()};
                  });
}

Tensor min(const Operand& a, const Operand& b) { return extreme(Binary::min, a, b); }
Tensor max(const Operand& a, const Operand& b) { return extreme(Binary::max, a, b); }

Tensor less(const Operand& a, const Operand& b) { return compared(Binary::less, a, b); }
Tensor less_equal(const Operand& a, const Operand& b) { return compared(Binary::less_equal, a, b); }
Tensor equal(const Operand& a, const Operand& b) { return compared(Binary::equal, a, b); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check(condition.shape() == a.shape() && a.shape() == b.shape(), "where: shapes differ: ", condition.shape(), ", ",
        a.shape(), ", ", b.shape());
  const auto choose = [](const Tensor& c, const Tensor& x, const Tensor& y) {
    Tensor out = Tensor::empty(x.shape(), x.dtype(), x.device());
    backend_for("where", Primitive::where, {c, x, y}).where(c.view(), x.view(), y.view(), out.view());
    return out;
  };
  return record({"where"}, choose(condition, a, b), {condition, a, b},
                [c = condition.detach(), choose](const Tensor& dy) {
                  const Tensor zero = Tensor::zeros(dy.shape(), dy.dtype(), dy.device());
                  return Tensors{Tensor(), choose(c, dy, zero), choose(c, zero, dy)};
                });
}

}  // namespace ntq
