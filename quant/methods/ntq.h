#pragma once
// The definition of NTQ's training-time weights, for readers and as the oracle of the fused kernel.
#include "engine/ops/quantize.h"

namespace ntq {

/// quantize(w, step, args) with args.noise, Eq. 7 and 8 of arXiv 2212.05603 written out in ops.
Tensor noise_tempered(const Tensor& w, const Tensor& step, const QuantizeArgs& args);

}  // namespace ntq
