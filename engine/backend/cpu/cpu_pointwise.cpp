// Elementwise functions, broadcasts and folds.
#include <algorithm>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

/// So many rows of `size` elements to a task.
int64_t rows_of_task(int64_t size) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(size, 1)); }

}  // namespace

void CpuBackend::unary(Unary op, ConstView x, View y) {
  const float* const in = values(x, y.size);
  float* const out = values(y, y.size);
  parallel_ranges(y.size, kGrain, 4, [=, this](int64_t i, int64_t e) { k_.unary(op, in + i, out + i, e - i); });
}
void CpuBackend::scale(float alpha, ConstView x, View y) {
  const float* const in = values(x, y.size);
  float* const out = values(y, y.size);
  parallel_ranges(y.size, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.scale(in + i, alpha, out + i, e - i); });
}
void CpuBackend::axpy(float alpha, ConstView x, View y) {
  const float* const in = values(x, y.size);
  float* const out = values(y, y.size);
  parallel_ranges(y.size, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.axpy(alpha, in + i, out + i, e - i); });
}
void CpuBackend::relu(ConstView x, View y) {
  const float* const in = values(x, y.size);
  float* const out = values(y, y.size);
  parallel_ranges(y.size, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.relu(in + i, out + i, e - i); });
}
void CpuBackend::relu_grad(ConstView y, ConstView dy, View dx) {
  const float *const out = values(y, dx.size), *const grad = values(dy, dx.size);
  float* const to = values(dx, dx.size);
  parallel_ranges(dx.size, kGrain, 1,
                  [=, this](int64_t i, int64_t e) { k_.relu_grad(out + i, grad + i, to + i, e - i); });
}

void CpuBackend::binary(Binary op, ConstView a, ConstView b, View y) {
  const float *const left = values(a, y.size), *const right = values(b, y.size);
  float* const out = values(y, y.size);
  parallel_ranges(y.size, kGrain, 1,
                  [=, this](int64_t i, int64_t e) { k_.binary(op, left + i, right + i, out + i, e - i); });
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

void CpuBackend::where(ConstView condition, ConstView a, ConstView b, View y) {
  const float *const mask = values(condition, y.size), *const left = values(a, y.size),
                     *const right = values(b, y.size);
  float* const out = values(y, y.size);
  parallel_ranges(y.size, kGrain, 1,
                  [=, this](int64_t i, int64_t e) { k_.where(mask + i, left + i, right + i, out + i, e - i); });
}

void CpuBackend::fold(Fold op, const AxisSplit& split, ConstView x, View y) {
  const float* const in = values(x, split.numel());
  float* const out = values(y, split.outer * split.inner);
  parallel_ranges(split.outer * split.inner, rows_of_task(split.axis),
                  [=, this](int64_t begin, int64_t end) { k_.fold(op, in, split.axis, split.inner, begin, end, out); });
}

}  // namespace ntq::cpu
