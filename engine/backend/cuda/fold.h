#pragma once
// Grids of folds, and the last step of sums that many blocks take: their partial sums joined.
#include <algorithm>
#include <bit>

#include "engine/backend/args.h"
#include "engine/backend/cuda/kernels/reduce.h"
#include "engine/backend/cuda/stream.h"

namespace ntq::cuda {

/// How many columns a block takes, and into how many parts each is cut: by sizes alone, so that every device adds in
/// one order.
struct FoldPlan {
  unsigned width;
  int64_t parts, blocks;
};

constexpr int64_t kValues = 8;  // of a thread, at least

inline int64_t power_of_two_from(int64_t n) { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n))); }

inline FoldPlan in_one_part(const AxisSplit& split) {
  const int64_t neighbours = split.inner == 1 ? 1 : std::min<int64_t>(32, power_of_two_from(split.inner));
  const int64_t lanes = std::clamp<int64_t>(power_of_two_from(split.axis / kValues), 1, kMostThreads / neighbours);
  const int64_t width = kMostThreads / lanes;
  return {static_cast<unsigned>(width), 1, (split.outer * split.inner + width - 1) / width};
}

template <class Fold, class In, class Out>
void launch_fold(Stream& stream, const AxisSplit& split, const FoldPlan& plan, const In* x, typename Fold::Value factor,
                 Out* y) {
  using Value = typename Fold::Value;
  stream.launch<FoldKernel<Fold, In, Out>>(
      {static_cast<unsigned>(plan.blocks), kMostThreads, static_cast<unsigned>(kMostThreads * sizeof(Value))},
      {x, y, split.axis, split.inner, split.outer * split.inner, plan.parts, plan.width, factor});
}

/// {rows,columns} of device memory.
struct PartialSums {
  const double* sums;
  int64_t rows, columns;
};

/// y {columns}, float32 or float64, = factor * the sums over rows.
inline void join_sums(Stream& stream, const PartialSums& of, double factor, View y) {
  const AxisSplit split{1, of.rows, of.columns};
  const FoldPlan plan = in_one_part(split);
  if (y.type == DType::f64)
    return launch_fold<SumFold>(stream, split, plan, of.sums, factor, static_cast<double*>(y.data));
  launch_fold<SumFold>(stream, split, plan, of.sums, factor, static_cast<float*>(y.data));
}

}  // namespace ntq::cuda
