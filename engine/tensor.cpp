#include "engine/tensor.h"

#include <cstring>

#include "engine/autograd.h"
#include "engine/backend/registry.h"

namespace ntq {
namespace {

/// Memory of one or several tensors, given back to its backend with the last of them.
struct Storage {
  Storage(size_t size, Device where) : bytes(size), device(where), memory(backend_for(where).allocate(size)) {}
  ~Storage() { backend_for(device).release(memory, bytes); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  size_t bytes;
  Device device;
  void* memory;
};

}  // namespace

struct Tensor::Body {
  std::shared_ptr<Storage> storage;
  size_t offset = 0;  // bytes
  Shape shape;
  DType dtype = DType::f32;
  bool requires_grad = false;
  Tensor grad;
  std::shared_ptr<Node> node;
};

const Tensor::Body& Tensor::body(const char* caller) const {
  check(defined(), "Tensor::", caller, ": the tensor is undefined");
  return *body_;
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  constexpr int64_t kMostBytes = int64_t{1} << 62;
  check(shape.numel() <= kMostBytes / static_cast<int64_t>(dtype_size(dtype)), "Tensor: ", dtype_name(dtype), " ",
        shape, " has more than 2^62 bytes");
  auto body = std::make_shared<Body>();
  body->storage = std::make_shared<Storage>(static_cast<size_t>(shape.numel()) * dtype_size(dtype), device);
  body->shape = shape;
  body->dtype = dtype;
  return Tensor(std::move(body));
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor out = empty(shape, dtype, device);
  if (dtype == DType::f32) {
    out.fill(0.0f);
  } else {
    check(device.type == DeviceType::cpu, "Tensor::zeros: on ", device.str(), " only float32");
    std::memset(out.raw(), 0, out.bytes());
  }
  return out;
}

Tensor Tensor::full(const Shape& shape, float value, Device device) {
  Tensor out = empty(shape, DType::f32, device);
  out.fill(value);
  return out;
}

const Shape& Tensor::shape() const { return body("shape").shape; }
DType Tensor::dtype() const { return body("dtype").dtype; }
Device Tensor::device() const { return body("device").storage->device; }

void* Tensor::raw() const {
  const Body& b = body("raw");
  return static_cast<std::byte*>(b.storage->memory) + b.offset;
}

void Tensor::read(View to) const {
  check(dtype() == to.type, "Tensor: holds ", dtype_name(dtype()), ", asked for ", dtype_name(to.type));
  if (to.size > 0) backend_for(device()).copy(to.data, raw(), bytes());
}

Tensor Tensor::view(const Shape& shape) const {
  const Body& b = body("view");
  check(shape.numel() == b.shape.numel(), "Tensor::view: shape ", b.shape, " cannot become ", shape);
  auto other = std::make_shared<Body>();
  other->storage = b.storage;
  other->offset = b.offset;
  other->shape = shape;
  other->dtype = b.dtype;
  return Tensor(std::move(other));
}

Tensor Tensor::rows(int64_t begin, int64_t end) const {
  const Body& b = body("rows");
  check(b.shape.rank() >= 1 && 0 <= begin && begin <= end && end <= b.shape[0], "Tensor::rows: [", begin, ",", end,
        ") is outside of shape ", b.shape);
  std::vector<int64_t> sizes(b.shape.sizes().begin(), b.shape.sizes().end());
  sizes[0] = end - begin;
  auto other = std::make_shared<Body>();
  other->storage = b.storage;
  other->offset = b.offset + static_cast<size_t>(begin * b.shape.numel_from(1)) * dtype_size(b.dtype);
  other->shape = Shape(std::span<const int64_t>(sizes));
  other->dtype = b.dtype;
  return Tensor(std::move(other));
}

Tensor Tensor::clone() const {
  Tensor out = empty(shape(), dtype(), device());
  backend_for(device()).copy(out.raw(), raw(), bytes());
  return out;
}

void Tensor::copy_from(const Tensor& source) {
  check(source.shape() == shape() && source.dtype() == dtype(), "Tensor::copy_from: expected ", dtype_name(dtype()),
        " ", shape(), ", found ", dtype_name(source.dtype()), " ", source.shape());
  check(source.device() == device(), "Tensor::copy_from: tensors are on ", device().str(), " and ",
        source.device().str());
  backend_for(device()).copy(raw(), source.raw(), bytes());
}

void Tensor::fill(float value) { backend_for(device()).fill(value, view()); }

Tensor Tensor::detach() const { return view(shape()); }

bool Tensor::unique() const { return body_.use_count() == 1 && body_->storage.use_count() == 1; }

bool Tensor::requires_grad() const { return defined() && body_->requires_grad; }

Tensor& Tensor::set_requires_grad(bool on) {
  body("set_requires_grad");
  check(!on || dtype() == DType::f32, "set_requires_grad: only float32 has gradients, found ", dtype_name(dtype()));
  body_->requires_grad = on;
  return *this;
}

Tensor Tensor::grad() const { return body("grad").grad; }

void Tensor::set_grad(const Tensor& grad) {
  body("set_grad");
  check(!grad || grad.shape() == shape(), "set_grad: expected shape ", shape(), ", found ",
        grad ? grad.shape().str() : "");
  body_->grad = grad;
}

const std::shared_ptr<Node>& Tensor::node() const { return body("node").node; }

void Tensor::set_node(std::shared_ptr<Node> node) {
  body("set_node");
  body_->node = std::move(node);
}

void Tensor::backward() const {
  check(defined() && numel() == 1, "backward: starts at a loss of one element, found shape ",
        defined() ? shape().str() : "none");
  ntq::backward(*this, Tensor::full(shape(), 1.0f, device()));
}

}  // namespace ntq
