#pragma once
// 3x3 convolutions of stride 1 and padding 1 by Winograd's F(4x4,3x3): a quarter of the multiplications.
#include "engine/backend/cpu/cpu_backend.h"

namespace ntq::cpu {

/// By the sizes alone: 3x3, stride 1, padding 1, whole vectors of channels, and tiles that the images fill well.
bool wants_winograd(const Kernels& k, const ConvGeometry& g);

/// y = conv(x, w); with `turned`, the data gradient: x is dy {.., in = Cout}, w stays {Cout,3,3,Cin}, out = Cin.
void winograd_conv(Backend& backend, const Kernels& k, const ConvGeometry& g, bool turned, const float* x,
                   const float* w, float* y);
void winograd_grad_weight(Backend& backend, const Kernels& k, const ConvGeometry& g, const float* dy, const float* x,
                          float* dw);

}  // namespace ntq::cpu
