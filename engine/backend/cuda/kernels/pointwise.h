#pragma once
// Functions of values at one place, and what lies along an axis.
#include "engine/backend/args.h"
#include "engine/backend/cuda/kernels/map.h"
#include "engine/backend/cuda/kernels/math.h"

namespace ntq::cuda {

struct FillOp {
  float value;
  NTQ_DEVICE float operator()() const { return value; }
};
struct ScaleOp {
  float alpha;
  NTQ_DEVICE float operator()(float x) const { return alpha * x; }
};
struct AxpyOp {
  float alpha;
  NTQ_DEVICE float operator()(float y, float x) const { return y + alpha * x; }
};
struct ReluOp {
  NTQ_DEVICE float operator()(float x) const { return x < 0.0f ? 0.0f : x; }
};
struct ReluGradOp {
  NTQ_DEVICE float operator()(float y, float dy) const { return y > 0.0f ? dy : 0.0f; }
};
struct WhereOp {
  NTQ_DEVICE float operator()(float condition, float a, float b) const { return condition != 0.0f ? a : b; }
};

struct UnaryOp {
  Unary op;
  NTQ_DEVICE float operator()(float x) const {
    switch (op) {
      case Unary::neg: return -x;
      case Unary::abs: return absolute(x);
      case Unary::square: return x * x;
      case Unary::sqrt: return sqrtf(x);
      case Unary::exp: return exp_any(x);
      case Unary::log: return log_any(x);
      case Unary::tanh: return hyperbolic_tangent(x);
      case Unary::sigmoid: return sigmoid(x);
      case Unary::sign: return x != x ? x : static_cast<float>(x > 0.0f) - static_cast<float>(x < 0.0f);
      case Unary::floor: return floor_any(x);
      case Unary::round: return round_any(x);
    }
    return x;
  }
};

struct BinaryOp {
  Binary op;
  NTQ_DEVICE float operator()(float a, float b) const {
    switch (op) {
      case Binary::add: return a + b;
      case Binary::sub: return a - b;
      case Binary::mul: return a * b;
      case Binary::div: return a / b;
      // What is not a number wins on either side.
      case Binary::min: return a < b || a != a ? a : b;
      case Binary::max: return a > b || a != a ? a : b;
      case Binary::less: return a < b ? 1.0f : 0.0f;
      case Binary::less_equal: return a <= b ? 1.0f : 0.0f;
      case Binary::equal: return a == b ? 1.0f : 0.0f;
    }
    return a;
  }
};
/// With one number, which lies in device memory.
struct WithNumberOp {
  BinaryOp op;
  bool number_first;
  const float* number;
  NTQ_DEVICE float operator()(float x) const { return number_first ? op(*number, x) : op(x, *number); }
};

/// y {outer,axis,inner} = a op b {axis}. Index: an unsigned type that holds all indices; division by one of 32 bits is
/// several times as fast.
template <class Index>
struct AlongKernel {
  struct Args {
    BinaryOp op;
    bool b_first;
    const float *a, *b;
    float* y;
    int64_t n, axis, inner;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const auto axis = static_cast<Index>(args.axis), inner = static_cast<Index>(args.inner);
    each_index(thread, args.n, [&](int64_t i) {
      const float a = args.a[i], b = args.b[static_cast<Index>(i) / inner % axis];
      args.y[i] = args.b_first ? args.op(b, a) : args.op(a, b);
    });
  }
};

/// y {outer,axis,inner} = x {outer,inner}.
template <class Index>
struct SpreadKernel {
  struct Args {
    const float* x;
    float* y;
    int64_t n, axis, inner;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const auto axis = static_cast<Index>(args.axis), inner = static_cast<Index>(args.inner);
    each_index(thread, args.n, [&](int64_t i) {
      const auto at = static_cast<Index>(i);
      args.y[i] = args.x[at / inner / axis * inner + at % inner];
    });
  }
};

/// Whole numbers as float32.
template <class From>
struct WidenKernel {
  struct Args {
    const From* x;
    float* y;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_index(thread, args.n, [&](int64_t i) { args.y[i] = static_cast<float>(args.x[i]); });
  }
};

}  // namespace ntq::cuda
