// Sums, largest and smallest values over the middle axis of {outer, axis, inner}.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int64_t kColumns = 16;  // at a time, whatever the vector width: every ISA gives the same bits

/// What is not a number wins.
inline float pick(bool b_wins, float a, float b) { return a != a ? a : (b != b || b_wins ? b : a); }

/// `count` neighbouring columns of one {axis, inner}.
void sum_columns(const float* x, int64_t axis, int64_t inner, int64_t count, float* y) {
  double sums[kColumns] = {};
  for (int64_t a = 0; a < axis; ++a, x += inner) {
    for (int64_t c = 0; c < count; ++c) sums[c] += static_cast<double>(x[c]);
  }
  for (int64_t c = 0; c < count; ++c) y[c] = static_cast<float>(sums[c]);
}

inline void pick_columns(bool largest, const float* x, int64_t axis, int64_t inner, int64_t count, float* y) {
  float best[kColumns] = {};
  for (int64_t c = 0; c < count; ++c) best[c] = x[c];
  for (int64_t a = 1; a < axis; ++a) {
    x += inner;
    for (int64_t c = 0; c < count; ++c) best[c] = pick(largest ? x[c] > best[c] : x[c] < best[c], best[c], x[c]);
  }
  for (int64_t c = 0; c < count; ++c) y[c] = best[c];
}

/// One column alone: sixteen of its values side by side.
float pick_run(bool largest, const float* x, int64_t n) {
  float best[kColumns];
  const int64_t rows = n / kColumns;
  if (rows > 0) pick_columns(largest, x, rows, kColumns, kColumns, best);
  float y = rows > 0 ? best[0] : x[0];
  for (int64_t c = 1; rows > 0 && c < kColumns; ++c) y = pick(largest ? best[c] > y : best[c] < y, y, best[c]);
  for (int64_t i = rows * kColumns; i < n; ++i) y = pick(largest ? x[i] > y : x[i] < y, y, x[i]);
  return y;
}

/// Columns [begin, end) of {outer, axis, inner}, counted over outer and inner.
void fold(Fold op, const float* x, int64_t axis, int64_t inner, int64_t begin, int64_t end, float* y) {
  for (int64_t column = begin; column < end;) {
    const int64_t outer = column / inner, first = column % inner;
    int64_t count = inner - first < kColumns ? inner - first : kColumns;
    if (count > end - column) count = end - column;
    const float* from = x + outer * axis * inner + first;
    if (op != Fold::sum && inner == 1) {
      y[column] = pick_run(op == Fold::max, from, axis);
    } else if (op == Fold::sum) {
      sum_columns(from, axis, inner, count, y + column);
    } else {
      pick_columns(op == Fold::max, from, axis, inner, count, y + column);
    }
    column += count;
  }
}

}  // namespace

void fill_fold(Kernels& t) { t.fold = fold; }

}  // namespace ntq::cpu::NTQ_ISA
