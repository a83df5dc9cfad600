#pragma once
// Random tensors: pure functions of a key (engine/random.h), the same on every device and for any number of threads.
#include "engine/random.h"
#include "engine/tensor.h"

namespace ntq {

/// Independent standard normal numbers, the eps of quantize()'s noise of the same key. Not recorded.
Tensor standard_normal(const Shape& shape, const RandomKey& key, Device device = {});

/// Independent, uniform in (0, 1]. Not recorded.
Tensor uniform(const Shape& shape, const RandomKey& key, Device device = {});

}  // namespace ntq
