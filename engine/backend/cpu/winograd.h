#pragma once
// 3x3 convolutions of stride 1 and padding 1 by Winograd's F(4x4,3x3): a quarter of the multiplications.
#include "engine/backend/backend.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/images.h"

namespace ntq::cpu {

constexpr int64_t kTransformed = 36;  // values of a transformed 6x6 tile

/// The filters {Cout,3,3,Cin} of a forward pass, or turned by half a turn and Cin for Cout: the data gradient.
enum class Filters { as_they_are, turned };

/// y = conv(x, w); with turned filters x is dy and y is dx.
void winograd_conv(Backend& backend, const Kernels& k, const ConvPlan& plan, Filters filters, const Images& x,
                   const float* w, float* y);
void winograd_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const float* dy, const Images& x,
                          float* dw);

}  // namespace ntq::cpu
