#pragma once
// Which backend computes an op. For ops.
#include "engine/backend/registry.h"
#include "engine/tensor.h"

namespace ntq {

/// The backend of the device that `tensors` are on; undefined ones are left out. Throws std::invalid_argument,
/// beginning with `op`, unless they share a device and a type of real numbers; DeviceError when the device lacks the
/// primitive for that type. `parameters` are float32 beside tensors of any type.
Backend& backend_for(const char* op, Primitive primitive, std::initializer_list<Tensor> tensors,
                     std::initializer_list<Tensor> parameters = {});

/// The same question put to the backend of one device.
void check_supported(const char* op, const Backend& backend, Device device, Primitive primitive, DType type);

/// For a gradient of the shape and type of `dy`, to be computed element by element: the memory of `dy` itself where
/// nobody else holds it, else new memory.
Tensor gradient_room(const Tensor& dy);

}  // namespace ntq
