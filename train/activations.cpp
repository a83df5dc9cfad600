#include "train/activations.h"

#include "engine/backend/registry.h"
#include "engine/ops/cast.h"

namespace ntq {

void check_activations(Device device, DType activations) {
  check(activations == DType::f32 || activations == DType::bf16, "activations are stored as F32 or BF16, found ",
        dtype_name(activations));
  if (activations == DType::f32 || backend_for(device).supports(Primitive::cast, activations)) return;
  throw DeviceError(concat("precision bf16: device ", device.str(), " has no bfloat16; use fp32"));
}

Tensor logits_of(Module& model, const Tensor& images, DType activations) {
  return cast(model.forward(cast(images, activations)), DType::f32);
}

}  // namespace ntq
