#pragma once
// Views as pointers of the CPU, their types and sizes asserted.
#include <vector>

#include "base/check.h"
#include "engine/backend/view.h"

namespace ntq::cpu {

/// The values of a view of `size` elements; null: there is none. Throws std::invalid_argument for another type or size.
template <class T = float>
const T* values(ConstView view, int64_t size) {
  if (!view) return nullptr;
  check(view.type == DTypeOf<T>::value && view.size == size, "cpu: a primitive expected ", size, " ",
        dtype_name(DTypeOf<T>::value), ", found ", view.size, " ", dtype_name(view.type));
  return static_cast<const T*>(view.data);
}
template <class T = float>
T* values(View view, int64_t size) {
  return const_cast<T*>(values<T>(ConstView(view), size));
}

/// Codes, int8 or uint8 as the view says: two's complement, so the same bytes for both.
inline const uint8_t* bytes(ConstView view, int64_t size) {
  if (view.type == DType::i8) return reinterpret_cast<const uint8_t*>(values<int8_t>(view, size));
  return values<uint8_t>(view, size);
}
inline uint8_t* bytes(View view, int64_t size) { return const_cast<uint8_t*>(bytes(ConstView(view), size)); }

/// Throws std::invalid_argument where a view of any type has another size.
inline void check_size(ConstView view, int64_t size) {
  check(view.size == size, "cpu: a primitive expected ", size, " ", dtype_name(view.type), ", found ", view.size);
}

/// Puts a result into a view of one element, float32 or float64.
inline void put_number(double number, View view) {
  if (view.type == DType::f64) {
    *values<double>(view, 1) = number;
  } else {
    *values<float>(view, 1) = static_cast<float>(number);
  }
}

/// The step, or what is not a number where one of `checks` is not 0.
inline void put_checked_step(float step, const std::vector<float>& checks, View view) {
  if (!view) return;
  for (const float check : checks) step += check;
  *values(view, 1) = step;
}

}  // namespace ntq::cpu
