#pragma once
// Tensor: a shared handle to contiguous row-major memory with a shape, a type and a device.
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "engine/backend/view.h"
#include "engine/device.h"
#include "engine/dtype.h"
#include "engine/shape.h"

namespace ntq {

struct Node;     // autograd.h
struct Storage;  // storage.h

/// Copies share memory, as in every framework of the field; clone() copies the values.
/// An undefined tensor (default constructed) stands for "none".
class Tensor {
 public:
  Tensor() = default;
  /// Memory with undefined contents.
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = {});
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = {});
  /// Every element `value`; float32.
  static Tensor full(const Shape& shape, float value, Device device = {});
  /// A tensor of the host in memory that `by` copies from and to beside other work: it must not change between such a
  /// copy and synchronize(by).
  static Tensor pinned(const Shape& shape, DType dtype, Device by);
  /// Copies host values; throws std::invalid_argument when their number is not shape.numel().
  template <class T>
  static Tensor from(const Shape& shape, std::span<const T> values, Device device = {}) {
    check(static_cast<int64_t>(values.size()) == shape.numel(), "Tensor::from: shape ", shape, " needs ", shape.numel(),
          " values, found ", values.size());
    Tensor out = empty(shape, DTypeOf<T>::value);
    std::copy(values.begin(), values.end(), out.data<T>());
    return out.to(device);
  }
  static Tensor from(const Shape& shape, std::initializer_list<float> values, Device device = {}) {
    return from(shape, std::span<const float>(values.begin(), values.size()), device);
  }

  bool defined() const { return body_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const;
  int64_t size(int axis) const { return shape()[axis]; }
  int64_t numel() const { return shape().numel(); }
  DType dtype() const;
  Device device() const;
  /// Whether the program may read and write the values itself.
  bool on_host() const;
  size_t bytes() const { return static_cast<size_t>(numel()) * dtype_size(dtype()); }

  /// Pointer to the first element; throws std::invalid_argument for another type, or where the host cannot reach it.
  template <class T>
  T* data() const {
    check(dtype() == DTypeOf<T>::value, "Tensor::data: tensor holds ", dtype_name(dtype()), ", asked for ",
          dtype_name(DTypeOf<T>::value));
    check(on_host(), "Tensor::data: the values are on ", device(), "; bring them to the host by to(Device())");
    return static_cast<T*>(raw());
  }
  float* f32() const { return data<float>(); }
  /// The same without a type, wherever it is.
  void* raw() const;
  /// All elements, for a primitive of the backend.
  View view() const { return {raw(), dtype(), numel()}; }
  /// The only element of a one-element tensor, brought to the host, for which it waits; bfloat16 is read as float.
  /// Throws std::invalid_argument for another type.
  template <class T = float>
  T item() const {
    check(numel() == 1, "Tensor::item: needs one element, found shape ", shape());
    T value{};
    read(view_of(&value, 1));
    return value;
  }
  /// The values, brought to the host, for which it waits; bfloat16 is read as float. Throws std::invalid_argument for
  /// another type.
  template <class T = float>
  std::vector<T> to_vector() const {
    std::vector<T> values(static_cast<size_t>(numel()));
    read(view_of(values.data(), numel()));
    return values;
  }

  /// Same memory, other shape of equal numel. Not recorded: ops/reshape.h has the recorded reshape().
  Tensor view(const Shape& shape) const;
  /// Rows [begin, end) of the first axis, sharing memory. Not recorded.
  Tensor rows(int64_t begin, int64_t end) const;
  Tensor clone() const;
  /// The values on another device; this tensor itself where it lies there already. Recorded: the gradient comes back to
  /// this tensor's device. To the host it waits for the values.
  Tensor to(Device device) const;
  /// Overwrites the values, from any device; shape and dtype must match.
  void copy_from(const Tensor& source);
  /// From now on this variable, in all its handles, has the memory of another tensor, on whatever device; views keep
  /// the old one. Shape and dtype must match; a recorded result is refused. Its gradient is moved along.
  void take_memory(const Tensor& of);
  void fill(float value);
  /// Same values outside of the recorded graph.
  Tensor detach() const;
  /// True when this handle alone holds the memory, so it may be written in place.
  bool unique() const;

  // Autograd; the rules stand in autograd.h.
  bool requires_grad() const;
  Tensor& set_requires_grad(bool on);
  /// Accumulated gradient of a leaf; undefined before the first backward().
  Tensor grad() const;
  void set_grad(const Tensor& grad);
  void zero_grad() { set_grad({}); }
  const std::shared_ptr<Node>& node() const;
  void set_node(std::shared_ptr<Node> node);
  /// Gradient of this one-element tensor with respect to every leaf that requires one; frees the graph.
  void backward() const;
  /// For graphs, which keep what gradients read and nothing more: a recorded result's shape, type and node without its
  /// values. A leaf is itself.
  Tensor for_graph() const;
  /// Identity of the underlying variable (for maps).
  const void* id() const { return body_.get(); }

 private:
  struct Body;
  static size_t checked_bytes(const Shape& shape, DType dtype);
  static Tensor on(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype);
  explicit Tensor(std::shared_ptr<Body> body) : body_(std::move(body)) {}
  const Body& body(const char* caller) const;
  const Storage& storage(const char* caller) const;
  void read(View to) const;
  std::shared_ptr<Body> body_;
};

}  // namespace ntq
