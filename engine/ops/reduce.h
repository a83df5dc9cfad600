#pragma once
// Reductions. Fixed chunks, so the result does not depend on the number of threads.
#include "engine/autograd.h"

namespace ntq {

/// Sum of all elements, {1}; accumulated in float64.
Tensor sum(const Tensor& x);
/// Mean of all elements, {1}.
Tensor mean(const Tensor& x);

}  // namespace ntq
