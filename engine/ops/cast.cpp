#include "engine/ops/cast.h"

#include <cmath>
#include <limits>

namespace ntq {
namespace {

/// IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits.
float from_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

template <class T, class Convert>
Tensor convert(const Tensor& x, Convert&& one) {
  Tensor y = Tensor::empty(x.shape());
  check(x.on_host(), "cast_f32: the values are on ", x.device(), "; bring them to the host by to(Device())");
  const auto* in = static_cast<const T*>(x.raw());
  float* out = y.f32();
  for (int64_t i = 0; i < x.numel(); ++i) out[i] = one(in[i]);
  return y;
}

template <class T>
Tensor to_bytes(const char* op, const Tensor& x) {
  check(x.defined() && x.dtype() == DType::f32, op, ": expected a float32 tensor");
  constexpr float kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  Tensor out = Tensor::empty(x.shape(), DTypeOf<T>::value);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const float value = std::nearbyint(x.f32()[i]);
    check(value >= kLow && value <= kHigh, op, ": element ", i, " is ", x.f32()[i], ", outside of [", kLow, ", ", kHigh,
          "]");
    out.data<T>()[i] = static_cast<T>(value);
  }
  return out;
}

}  // namespace

Tensor cast_f32(const Tensor& x) {
  check(x.defined(), "cast_f32: the tensor is undefined");
  const auto plain = [](auto value) { return static_cast<float>(value); };
  switch (x.dtype()) {
    case DType::f32: return x;
    case DType::f64: return convert<double>(x, plain);
    case DType::f16: return convert<uint16_t>(x, from_half);
    case DType::bf16: return convert<BFloat16>(x, from_bf16);
    case DType::i64: return convert<int64_t>(x, plain);
    case DType::i32: return convert<int32_t>(x, plain);
    case DType::i8: return convert<int8_t>(x, plain);
    case DType::u8: return convert<uint8_t>(x, plain);
  }
  return {};
}

Tensor cast_i8(const Tensor& x) { return to_bytes<int8_t>("cast_i8", x); }
Tensor cast_u8(const Tensor& x) { return to_bytes<uint8_t>("cast_u8", x); }

}  // namespace ntq
