#pragma once
// Convolution. Inputs that are codes are computed as their exact values.
#include "engine/autograd.h"
#include "engine/ops/codes.h"

namespace ntq {

struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t groups = 1;  ///< filters see Cin / groups channels each; others than 1 are refused yet
};

/// x {N,H,W,Cin}, w {Cout,Kh,Kw,Cin} -> {N,Ho,Wo,Cout}, Ho = (H + 2 padding - Kh) / stride + 1.
/// Throws std::invalid_argument for what does not fit.
Tensor conv2d(const LayerInput& x, const LayerInput& w, const ConvOptions& options = {});

}  // namespace ntq
