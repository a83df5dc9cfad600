#pragma once
// Convolution and matrix product with a weight. Inputs that are codes are computed as their exact values.
#include "engine/autograd.h"
#include "engine/ops/codes.h"

namespace ntq {

struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;
};

/// x {N,H,W,Cin}, w {Cout,Kh,Kw,Cin} -> {N,Ho,Wo,Cout}, Ho = (H + 2 padding - Kh) / stride + 1.
Tensor conv2d(const LayerInput& x, const Tensor& w, const ConvOptions& options = {});
/// x {N,in}, w {out,in} -> x w^T {N,out}.
Tensor linear(const LayerInput& x, const Tensor& w);

}  // namespace ntq
