#pragma once
// Typed memory of a device, as the primitives get it. Plain structs: a library that implements a backend needs nothing
// of the engine's code.
#include <cstdint>

#include "engine/dtype.h"

namespace ntq {

/// Memory that is read: `size` elements of one type. Without memory it stands for "none".
struct ConstView {
  const void* data = nullptr;
  DType type = DType::f32;
  int64_t size = 0;
  explicit operator bool() const { return data != nullptr; }
};

/// Memory that is written.
struct View {
  void* data = nullptr;
  DType type = DType::f32;
  int64_t size = 0;
  explicit operator bool() const { return data != nullptr; }
  operator ConstView() const { return {data, type, size}; }  // NOLINT: what is written may be read
  /// `count` elements from `first` on.
  View part(int64_t first, int64_t count) const {
    return {static_cast<char*>(data) + first * static_cast<int64_t>(dtype_size(type)), type, count};
  }
};

/// A view of n values of the host.
template <class T>
View view_of(T* data, int64_t n) {
  return {data, DTypeOf<T>::value, n};
}
template <class T>
ConstView view_of(const T* data, int64_t n) {
  return {data, DTypeOf<T>::value, n};
}

}  // namespace ntq
