#pragma once
// What values between layers are stored as while a network trains: float32, or bfloat16, which takes half the memory
// and has faster products. Parameters, their gradients, statistics, steps and the loss are float32 beside either.
#include "engine/module.h"

namespace ntq {

/// Throws DeviceError where the device has no such values.
void check_activations(Device device, DType activations);

/// The model's logits of images, float32: the images are cast at its entry, its output behind it, both recorded. What
/// ops do with bfloat16 is theirs; one without it throws DeviceError, naming itself.
Tensor logits_of(Module& model, const Tensor& images, DType activations);

}  // namespace ntq
