#include "engine/tensor.h"

#include <algorithm>

#include "engine/autograd.h"
#include "engine/storage.h"

namespace ntq {

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

const Storage& Tensor::storage(const char* caller) const {
  check(body(caller).storage != nullptr, "Tensor::", caller, ": a graph has kept no values of this tensor");
  return *body_->storage;
}

size_t Tensor::checked_bytes(const Shape& shape, DType dtype) {
  constexpr int64_t kMostBytes = int64_t{1} << 62;
  check(shape.numel() <= kMostBytes / static_cast<int64_t>(dtype_size(dtype)), "Tensor: ", dtype_name(dtype), " ",
        shape, " has more than 2^62 bytes");
  return static_cast<size_t>(shape.numel()) * dtype_size(dtype);
}

Tensor Tensor::on(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype) {
  auto body = std::make_shared<Body>();
  body->storage = std::move(storage);
  body->shape = shape;
  body->dtype = dtype;
  return Tensor(std::move(body));
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  return on(std::make_shared<Storage>(checked_bytes(shape, dtype), device), shape, dtype);
}

Tensor Tensor::pinned(const Shape& shape, DType dtype, Device by) {
  return on(Storage::pinned(checked_bytes(shape, dtype), by), shape, dtype);
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor out = empty(shape, dtype, device);
  out.body_->storage->backend.zero(out.raw(), out.bytes());
  return out;
}

Tensor Tensor::full(const Shape& shape, float value, Device device) {
  Tensor out = empty(shape, DType::f32, device);
  out.fill(value);
  return out;
}

const Shape& Tensor::shape() const { return body("shape").shape; }
DType Tensor::dtype() const { return body("dtype").dtype; }
Device Tensor::device() const { return storage("device").device; }
bool Tensor::on_host() const { return storage("on_host").backend.host_memory(); }

void* Tensor::raw() const { return static_cast<std::byte*>(storage("raw").memory) + body_->offset; }

void Tensor::read(View to) const {
  if (dtype() == DType::bf16 && to.type == DType::f32) {
    std::vector<BFloat16> stored(static_cast<size_t>(numel()));
    read(view_of(stored.data(), numel()));
    std::transform(stored.begin(), stored.end(), static_cast<float*>(to.data), from_bf16);
    return;
  }
  check(dtype() == to.type, "Tensor: holds ", dtype_name(dtype()), ", asked for ", dtype_name(to.type));
  read_bytes(to.data, {&storage("read"), body_->offset}, bytes());
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
  out.copy_from(*this);
  return out;
}

void Tensor::copy_from(const Tensor& source) {
  check(source.shape() == shape() && source.dtype() == dtype(), "Tensor::copy_from: expected ", dtype_name(dtype()),
        " ", shape(), ", found ", dtype_name(source.dtype()), " ", source.shape());
  copy_bytes({body_->storage.get(), body_->offset}, {&source.storage("copy_from"), source.body_->offset}, bytes());
}

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  Tensor out = empty(shape(), dtype(), device);
  out.copy_from(*this);
  OpInfo op{"to"};
  if (graph_is_recorded()) op.attributes = {{"device", device.str()}};
  return record(op, out, {*this},
                [from = this->device()](const Tensor& dy) { return std::vector<Tensor>{dy.to(from)}; });
}

void Tensor::take_memory(const Tensor& of) {
  check(of.shape() == shape() && of.dtype() == dtype(), "Tensor::take_memory: expected ", dtype_name(dtype()), " ",
        shape(), ", found ", dtype_name(of.dtype()), " ", of.shape());
  check(!body_->node, "Tensor::take_memory: the tensor is the result of a recorded op");
  body_->storage = of.body_->storage;
  body_->offset = of.body_->offset;
  if (body_->grad) body_->grad = body_->grad.to(device());
}

void Tensor::fill(float value) { backend_for(device()).fill(value, view()); }

Tensor Tensor::detach() const { return view(shape()); }

bool Tensor::unique() const { return body_.use_count() == 1 && body_->storage.use_count() == 1; }

bool Tensor::requires_grad() const { return defined() && body_->requires_grad; }

Tensor& Tensor::set_requires_grad(bool on) {
  body("set_requires_grad");
  check(!on || dtype() == DType::f32 || dtype() == DType::bf16,
        "set_requires_grad: only F32 and BF16 have gradients, found ", dtype_name(dtype()));
  body_->requires_grad = on;
  return *this;
}

Tensor Tensor::grad() const { return body("grad").grad; }

void Tensor::set_grad(const Tensor& grad) {
  body("set_grad");
  check(!grad || (grad.shape() == shape() && grad.dtype() == dtype()), "set_grad: expected ", dtype_name(dtype()), " ",
        shape(), ", found ", dtype_name(grad ? grad.dtype() : dtype()), " ", grad ? grad.shape() : Shape());
  check(!grad || grad.device() == device(), "set_grad: the tensor is on ", device(), ", the gradient on ",
        grad ? grad.device() : Device());
  body_->grad = grad;
}

const std::shared_ptr<Node>& Tensor::node() const { return body("node").node; }

void Tensor::set_node(std::shared_ptr<Node> node) {
  body("set_node");
  body_->node = std::move(node);
  body_->requires_grad = body_->node != nullptr;
}

Tensor Tensor::for_graph() const {
  if (!defined() || !body_->node) return *this;
  Tensor out = on(nullptr, shape(), dtype());
  out.set_node(body_->node);
  return out;
}

void Tensor::backward() const {
  check(defined() && numel() == 1, "backward: starts at a loss of one element, found shape ",
        defined() ? shape().str() : "none");
  Tensor one = Tensor::empty(shape(), dtype(), device());
  one.fill(1.0f);
  ntq::backward(*this, one);
}

}  // namespace ntq
