#pragma once
// Matrix product with a weight.
#include "engine/autograd.h"
#include "engine/ops/codes.h"

namespace ntq {

/// x {N,in}, w {out,in} -> x w^T {N,out}. Throws std::invalid_argument for other shapes.
Tensor linear(const LayerInput& x, const LayerInput& w);

}  // namespace ntq
