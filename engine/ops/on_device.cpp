#include "engine/ops/on_device.h"

namespace ntq {

void check_supported(const char* op, const Backend& backend, Device device, Primitive primitive, DType type) {
  if (backend.supports(primitive, type)) return;
  throw DeviceError(concat(op, ": device ", device.str(), " has no ", dtype_name(type),
                           " kernel for it; run this part of the model on the cpu, or convert to F32 (cast)"));
}

Backend& backend_for(const char* op, Primitive primitive, std::initializer_list<Tensor> tensors,
                     std::initializer_list<Tensor> parameters) {
  const Tensor* first = nullptr;
  const auto look = [&](const Tensor& t, DType wanted) {
    if (!t) return;
    if (!first) first = &t;
    check(t.device() == first->device(), op, ": the tensors are on ", first->device(), " and ", t.device(),
          "; bring them to one device first");
    check(t.dtype() == wanted, op, ": the tensors are ", dtype_name(wanted), " and ", dtype_name(t.dtype()),
          "; expected one type");
  };
  for (const Tensor& t : tensors) look(t, first ? first->dtype() : t ? t.dtype() : DType::f32);
  check(first != nullptr, op, ": the tensor is undefined");
  const DType type = first->dtype();
  check(type == DType::f32 || type == DType::f64 || type == DType::f16 || type == DType::bf16, op, ": tensor holds ",
        dtype_name(type), ", asked for F32 or another type of real numbers");
  for (const Tensor& t : parameters) look(t, DType::f32);
  Backend& backend = backend_for(first->device());
  check_supported(op, backend, first->device(), primitive, type);
  return backend;
}

Tensor gradient_room(const Tensor& dy) { return dy.unique() ? dy : Tensor::empty(dy.shape(), dy.dtype(), dy.device()); }

}  // namespace ntq
