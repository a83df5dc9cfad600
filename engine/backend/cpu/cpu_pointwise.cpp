// Elementwise functions, broadcasts and folds.
#include <algorithm>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

/// So many rows of `size` elements to a task.
int64_t rows_of_task(int64_t size) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(size, 1)); }

/// kernel(inputs..., to, n) on pieces of y and of inputs of its size.
template <class Kernel, class... Inputs>
void each_piece(int64_t work, View y, const Kernel& kernel, Inputs... inputs) {
  const auto run = [&](float* to, const auto*... from) {
    parallel_ranges(y.size, kGrain, work, [=](int64_t i, int64_t e) { kernel(from + i..., to + i, e - i); });
  };
  run(values(y, y.size), values(inputs, y.size)...);
}

using In = const float*;
using Out = float*;

}  // namespace

void CpuBackend::unary(Unary op, ConstView x, View y) {
  each_piece(
      4, y, [=, this](In a, Out to, int64_t n) { k_.unary(op, a, to, n); }, x);
}
void CpuBackend::scale(float alpha, ConstView x, View y) {
  each_piece(
      1, y, [=, this](In a, Out to, int64_t n) { k_.scale(a, alpha, to, n); }, x);
}
void CpuBackend::axpy(float alpha, ConstView x, View y) {
  each_piece(
      1, y, [=, this](In a, Out to, int64_t n) { k_.axpy(alpha, a, to, n); }, x);
}
void CpuBackend::relu(ConstView x, View y) { each_piece(1, y, k_.relu, x); }
void CpuBackend::relu_grad(ConstView y, ConstView dy, View dx) { each_piece(1, dx, k_.relu_grad, y, dy); }
void CpuBackend::binary(Binary op, ConstView a, ConstView b, View y) {
  each_piece(
      1, y, [=, this](In l, In r, Out to, int64_t n) { k_.binary(op, l, r, to, n); }, a, b);
}
void CpuBackend::where(ConstView condition, ConstView a, ConstView b, View y) {
  each_piece(1, y, k_.where, condition, a, b);
}

void CpuBackend::binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) {
  const auto [outer, axis, inner] = args.split;
  const float *const large = values(a, args.split.numel()), *const small = values(b, axis);
  float* const out = values(y, args.split.numel());
  const Binary op = args.op;
  const bool b_first = args.b_first;
  if (axis == 1) {
    return parallel_ranges(outer * inner, kGrain, [=, this](int64_t i, int64_t e) {
      k_.binary_scalar(op, large + i, *small, b_first, out + i, e - i);
    });
  }
  if (inner == 1) {
    return parallel_ranges(outer, rows_of_task(axis), axis, [=, this, size = axis](int64_t begin, int64_t end) {
      for (int64_t at = begin * size; at < end * size; at += size) {
        k_.binary(op, b_first ? small : large + at, b_first ? large + at : small, out + at, size);
      }
    });
  }
  parallel_ranges(outer * axis, rows_of_task(inner), inner,
                  [=, this, count = axis, size = inner](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                      k_.binary_scalar(op, large + i * size, small[i % count], b_first, out + i * size, size);
                    }
                  });
}

void CpuBackend::fold(Fold op, const AxisSplit& split, ConstView x, View y) {
  const float* const in = values(x, split.numel());
  float* const out = values(y, split.outer * split.inner);
  if (const int64_t parts = split.axis / kGrain; op != Fold::sum && y.size == 1 && parts > 1) {
    // Of all values: of parts first, in any order.
    const Scratch extremes(*this, parts);
    parallel_for(parts, kGrain, [&](int64_t i) {
      const int64_t begin = i * kGrain, end = i + 1 == parts ? split.axis : begin + kGrain;
      k_.fold(op, in + begin, end - begin, 1, 0, 1, extremes.data() + i);
    });
    return k_.fold(op, extremes.data(), parts, 1, 0, 1, out);
  }
  parallel_ranges(split.outer * split.inner, rows_of_task(split.axis),
                  [=, this](int64_t begin, int64_t end) { k_.fold(op, in, split.axis, split.inner, begin, end, out); });
}

}  // namespace ntq::cpu
