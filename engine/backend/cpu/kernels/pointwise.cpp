// Functions of one and of two values, element by element.
#include "engine/backend/cpu/kernels/each_vec.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/math.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

/// 1 where a comparison holds, else 0.
inline Vec mask(VecI holds) { return select(holds, splat(1.0f), Vec{}); }

/// Runs with(f), f the function of a vector.
template <class With>
void with_unary(Unary op, With with) {
  switch (op) {
    case Unary::neg: return with([](Vec x) { return -x; });
    case Unary::abs: return with([](Vec x) { return absolute(x); });
    case Unary::square: return with([](Vec x) { return x * x; });
    case Unary::sqrt: return with([](Vec x) { return square_root(x); });
    case Unary::exp: return with([](Vec x) { return exp_any(x); });
    case Unary::log: return with([](Vec x) { return log_any(x); });
    case Unary::tanh: return with([](Vec x) { return hyperbolic_tangent(x); });
    case Unary::sigmoid: return with([](Vec x) { return sigmoid(x); });
    case Unary::sign: return with([](Vec x) { return select(x != x, x, mask(x > Vec{}) - mask(x < Vec{})); });
    case Unary::floor: return with([](Vec x) { return floor_any(x); });
    case Unary::round: return with([](Vec x) { return round_any(x); });
  }
}

template <class With>
void with_binary(Binary op, With with) {
  switch (op) {
    case Binary::add: return with([](Vec a, Vec b) { return a + b; });
    case Binary::sub: return with([](Vec a, Vec b) { return a - b; });
    case Binary::mul: return with([](Vec a, Vec b) { return a * b; });
    case Binary::div: return with([](Vec a, Vec b) { return a / b; });
    // What is not a number wins on either side.
    case Binary::min: return with([](Vec a, Vec b) { return select((a < b) | (a != a), a, b); });
    case Binary::max: return with([](Vec a, Vec b) { return select((a > b) | (a != a), a, b); });
    case Binary::less: return with([](Vec a, Vec b) { return mask(a < b); });
    case Binary::less_equal: return with([](Vec a, Vec b) { return mask(a <= b); });
    case Binary::equal: return with([](Vec a, Vec b) { return mask(a == b); });
  }
}

void unary(Unary op, const float* x, float* y, int64_t n) {
  with_unary(op, [=](auto f) { each_vec(n, [=](int64_t i, int64_t l) { put(y + i, f(get(x + i, l)), l); }); });
}

void binary(Binary op, const float* a, const float* b, float* y, int64_t n) {
  with_binary(
      op, [=](auto f) { each_vec(n, [=](int64_t i, int64_t l) { put(y + i, f(get(a + i, l), get(b + i, l)), l); }); });
}

void binary_scalar(Binary op, const float* a, float b, bool scalar_first, float* y, int64_t n) {
  const Vec s = splat(b);
  with_binary(op, [=](auto f) {
    each_vec(n, [=](int64_t i, int64_t l) {
      const Vec v = get(a + i, l);
      put(y + i, scalar_first ? f(s, v) : f(v, s), l);
    });
  });
}

void where(const float* condition, const float* a, const float* b, float* y, int64_t n) {
  each_vec(n, [=](int64_t i, int64_t l) {
    put(y + i, select(get(condition + i, l) != Vec{}, get(a + i, l), get(b + i, l)), l);
  });
}

}  // namespace

void fill_pointwise(Kernels& t) {
  t.unary = unary;
  t.binary = binary;
  t.binary_scalar = binary_scalar;
  t.where = where;
}

}  // namespace ntq::cpu::NTQ_ISA
