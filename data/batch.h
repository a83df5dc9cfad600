#pragma once
// What a step of training takes.
#include "engine/tensor.h"

namespace ntq {

struct Batch {
  Tensor images;  ///< {N,H,W,C} float32, normalised
  Tensor labels;  ///< {N} int32
};

}  // namespace ntq
