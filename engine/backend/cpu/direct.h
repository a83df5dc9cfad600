#pragma once
// Direct convolutions of float32: products that gather their rows in place.
#include "engine/backend/backend.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu {

/// y, dx and dw of the convolution g, as its plan for that pass has it: ConvAlgorithm::product or few_channels.
void direct_conv(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g, const float* x,
                 const float* w, float* y);
void direct_grad_input(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g, const float* dy,
                       const float* w, float* dx);
void direct_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g,
                        const float* dy, const float* x, float* dw);

}  // namespace ntq::cpu
