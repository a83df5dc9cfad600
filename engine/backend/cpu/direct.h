#pragma once
// Direct convolutions of float32: products that gather their rows in place.
#include "engine/backend/backend.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/images.h"

namespace ntq::cpu {

/// y from what `from` gathers; filters {Cout, taps, depth}.
void product(Backend& backend, const Kernels& k, const ConvGeometry& g, const Source& from, const float* w, float* y);

/// ConvAlgorithm::product: y, dx and dw of the plan's product.
void direct_conv(Backend& backend, const Kernels& k, const ConvPlan& plan, const Images& x, const float* w, float* y);
void direct_grad_input(Backend& backend, const Kernels& k, const ConvPlan& plan, const float* dy, const float* w,
                       float* dx);
void direct_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const float* dy, const Images& x,
                        float* dw);

}  // namespace ntq::cpu
