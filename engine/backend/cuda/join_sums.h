#pragma once
// The last step of sums that many blocks take: their partial sums joined.
#include "engine/backend/cuda/kernels/parts.h"
#include "engine/backend/cuda/stream.h"
#include "engine/backend/view.h"

namespace ntq::cuda {

/// {rows,columns} of device memory.
struct PartialSums {
  const double* sums;
  int64_t rows, columns;
};

/// y {columns}, float32 or float64, = factor * the sums over rows.
inline void join_sums(Stream& stream, const PartialSums& of, double factor, View y) {
  unsigned width = 1;
  while (width < 8 && width < of.columns) width *= 2;
  const bool wide = y.type == DType::f64;
  stream.launch<JoinSumsKernel>(
      {static_cast<unsigned>(ceil_div(of.columns, int64_t{width})), kPartThreads, JoinSumsKernel::kShared},
      {of.sums, of.rows, of.columns, width, factor, wide ? nullptr : static_cast<float*>(y.data),
       wide ? static_cast<double*>(y.data) : nullptr});
}

}  // namespace ntq::cuda
