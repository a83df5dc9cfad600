#pragma once
// Changes of shape, recorded for backward. All float32.
#include "engine/autograd.h"

namespace ntq {

/// Same values under another shape of equal numel; shares memory.
Tensor reshape(const Tensor& x, const Shape& shape);

}  // namespace ntq
