#pragma once
// Element types.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bf16.h"
#include "base/stored_type.h"

namespace ntq {

/// Arithmetic is float32 today; the others are for storage, codes and labels. In the order of kStoredTypes.
enum class DType : uint8_t { f32, f64, f16, bf16, i64, i32, i8, u8 };

/// Bytes per element.
constexpr size_t dtype_size(DType type) { return kStoredTypes[static_cast<size_t>(type)].bytes; }

/// The safetensors name: "F32", "BF16", "I64", "U8", ...
constexpr std::string_view dtype_name(DType type) { return kStoredTypes[static_cast<size_t>(type)].name; }
static_assert(dtype_name(DType::f32) == "F32" && dtype_name(DType::f64) == "F64" && dtype_name(DType::f16) == "F16" &&
              dtype_name(DType::bf16) == "BF16" && dtype_name(DType::i64) == "I64" && dtype_name(DType::i32) == "I32" &&
              dtype_name(DType::i8) == "I8" && dtype_name(DType::u8) == "U8");

/// The type of that name, if the library has it.
constexpr std::optional<DType> find_dtype(std::string_view name) {
  const size_t type = find_stored_type(name);
  if (type > static_cast<size_t>(DType::u8)) return {};
  return static_cast<DType>(type);
}

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::i8;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::u8;
};

}  // namespace ntq
