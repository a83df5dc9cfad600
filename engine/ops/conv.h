#pragma once
// Convolution and matrix product with a weight.
#include "engine/autograd.h"

namespace ntq {

struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;
};

/// x {N,H,W,Cin}, w {Cout,Kh,Kw,Cin} -> {N,Ho,Wo,Cout}, Ho = (H + 2 padding - Kh) / stride + 1.
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options = {});
/// x {N,in}, w {out,in} -> x w^T {N,out}.
Tensor linear(const Tensor& x, const Tensor& w);

}  // namespace ntq
