#pragma once
// Convolutions as products of bfloat16 with float32 sums, of any geometry: filters are packed (filters.h), codes
// widened as they are read.
#include "engine/backend/backend.h"
#include "engine/backend/cpu/bf16/kernels/kernels.h"
#include "engine/backend/cpu/conv_plan.h"

namespace ntq::bf16 {

/// y, bf16 or f32, of x, bf16 or codes.
void conv(Backend& backend, const Kernels& k, const cpu::ConvPlan& plan, ConstView x, const BFloat16* packed, View y);
/// dx, bf16 or f32, of dy, bf16.
void conv_grad_input(Backend& backend, const Kernels& k, const cpu::ConvPlan& plan, ConstView dy,
                     const BFloat16* packed, View dx);
/// dw of dy, bf16, and of x, bf16 or codes.
void conv_grad_weight(Backend& backend, const Kernels& k, const cpu::ConvPlan& plan, ConstView dy, ConstView x,
                      float* dw);

}  // namespace ntq::bf16
