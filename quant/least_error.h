#pragma once
// First values that give the least squared error: for calibration, not for a step of training.
#include "engine/ops/quantize.h"

namespace ntq {

/// The step with the least squared error for `x`, to 2%: steps around `start` in fourths of an octave, then finer ones.
double least_error_step(const Tensor& x, QuantRange range, double start);

}  // namespace ntq
