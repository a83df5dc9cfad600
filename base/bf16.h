#pragma once
// bfloat16: the upper half of a float32, the same exponents with 8 bits of precision.
#include <bit>
#include <cstdint>

namespace ntq {

struct BFloat16 {
  uint16_t bits;
};

/// Exact.
constexpr float from_bf16(BFloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
/// To the nearest, ties to even; what is not a number stays quiet.
constexpr BFloat16 to_bf16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (x != x) return {static_cast<uint16_t>((bits | 0x400000) >> 16)};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

}  // namespace ntq
