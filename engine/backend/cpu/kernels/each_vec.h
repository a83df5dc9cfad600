#pragma once
// Loops over [0, n) in vectors.
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

/// Runs op(position, lanes) over [0, n): whole vectors, then the rest as a partial one.
template <class Op>
inline void each_vec(int64_t n, Op op) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) op(i, int64_t{kWidth});
  if (i < n) op(i, n - i);
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
