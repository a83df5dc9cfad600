#pragma once
// Direct convolutions of float32 whose pixels fill no vector: of an image, most of all.
#include "engine/backend/backend.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/images.h"

namespace ntq::cpu {

/// ConvAlgorithm::few_channels; the plan's product is that of patches.
void few_channels_conv(Backend& backend, const Kernels& k, const ConvGeometry& g, const Images& x, const float* w,
                       float* y);
void few_channels_grad_input(Backend& backend, const Kernels& k, const ConvGeometry& g, const float* dy, const float* w,
                             float* dx);
void few_channels_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const ConvGeometry& g,
                              const float* dy, const Images& x, float* dw);

}  // namespace ntq::cpu
