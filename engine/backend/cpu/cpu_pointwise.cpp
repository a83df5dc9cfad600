// Elementwise functions, broadcasts and folds.
#include <algorithm>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq::cpu {
namespace {

/// So many rows of `size` elements to a task.
int64_t rows_of_task(int64_t size) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(size, 1)); }

}  // namespace

void CpuBackend::unary(Unary op, const float* x, float* y, int64_t n) {
  parallel_ranges(n, kGrain, 4, [=, this](int64_t i, int64_t e) { k_.unary(op, x + i, y + i, e - i); });
}

void CpuBackend::binary(Binary op, const float* a, const float* b, float* y, int64_t n) {
  parallel_ranges(n, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.binary(op, a + i, b + i, y + i, e - i); });
}

void CpuBackend::binary_along(Binary op, const AxisView& view, const float* a, const float* b, bool b_first, float* y) {
  const auto [outer, axis, inner] = view;
  if (axis == 1) {
    return parallel_ranges(outer * inner, kGrain,
                           [=, this](int64_t i, int64_t e) { k_.binary_scalar(op, a + i, *b, b_first, y + i, e - i); });
  }
  if (inner == 1) {
    return parallel_ranges(outer, rows_of_task(axis), axis, [=, this, size = axis](int64_t begin, int64_t end) {
      for (int64_t at = begin * size; at < end * size; at += size) {
        k_.binary(op, b_first ? b : a + at, b_first ? a + at : b, y + at, size);
      }
    });
  }
  parallel_ranges(outer * axis, rows_of_task(inner), inner,
                  [=, this, count = axis, size = inner](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                      k_.binary_scalar(op, a + i * size, b[i % count], b_first, y + i * size, size);
                    }
                  });
}

void CpuBackend::where(const float* condition, const float* a, const float* b, float* y, int64_t n) {
  parallel_ranges(n, kGrain, 1,
                  [=, this](int64_t i, int64_t e) { k_.where(condition + i, a + i, b + i, y + i, e - i); });
}

void CpuBackend::fold(Fold op, const AxisView& view, const float* x, float* y) {
  parallel_ranges(view.outer * view.inner, rows_of_task(view.axis),
                  [=, this](int64_t begin, int64_t end) { k_.fold(op, x, view.axis, view.inner, begin, end, y); });
}

}  // namespace ntq::cpu
