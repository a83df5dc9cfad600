// The dot product of bfloat16 pairs: what vdpbf16ps computes, on every instruction set.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "base/isa.h"
#include "engine/backend/cpu/bf16/kernels/kernels.h"
#include "engine/philox.h"

namespace ntq {
namespace {

/// 0 for a subnormal number, with its sign.
float flushed(float v) { return std::fabs(v) < 0x1p-126f ? std::copysign(0.0f, v) : v; }
/// float32 holds the product exactly, as it holds 0.
bool product_fits(BFloat16 a, BFloat16 b) {
  const double size = std::fabs(double{flushed(from_bf16(a))} * double{flushed(from_bf16(b))});
  return size == 0 || (size >= 0x1p-126 && size <= 0x1.fffffep127) || std::isnan(size);
}
float product_and_sum(BFloat16 a, BFloat16 b, float c) {
  return flushed(std::fma(flushed(from_bf16(a)), flushed(from_bf16(b)), flushed(c)));
}
uint32_t draw(uint32_t i, uint32_t use) {
  uint32_t c0 = i, c1 = use, c2 = 0, c3 = 0;
  for (int round = 0; round < 10; ++round) philox_round({7, 11}, round, c0, c1, c2, c3);
  return c0;
}
/// Any bits at all, or numbers near 1.
float drawn(uint32_t i, uint32_t use, bool wild) {
  const uint32_t bits = draw(i, use);
  return std::bit_cast<float>(wild ? bits : (bits & 0x807fffffu) | (0x3c000000u + (bits >> 23 & 7) * 0x800000u));
}

}  // namespace

TEST_CASE("bfloat16: exact as float32, rounded to nearest even") {
  CHECK(to_bf16(1.0f).bits == 0x3f80);
  CHECK(to_bf16(0x1.01p0f).bits == 0x3f80);  // a tie, down to even
  CHECK(to_bf16(0x1.03p0f).bits == 0x3f82);  // a tie, up to even
  CHECK(to_bf16(0x1.0102p0f).bits == 0x3f81);
  CHECK(to_bf16(0x1.fffffep127f).bits == 0x7f80);  // to infinity, as rounding has it
  CHECK(std::isnan(from_bf16(to_bf16(std::bit_cast<float>(0x7f800001u)))));
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const BFloat16 x{static_cast<uint16_t>(bits)};
    if (std::isnan(from_bf16(x))) continue;
    REQUIRE(to_bf16(from_bf16(x)).bits == x.bits);
  }
}

TEST_CASE("dot of pairs: the odd product first, each sum rounded once, subnormals flushed, on every instruction set") {
  constexpr int64_t kSums = 20003;
  for (const bool wild : {false, true}) {
    std::vector<BFloat16> a, b;
    std::vector<float> c, expected;
    int64_t checked = 0;
    for (uint32_t i = 0; i < 2 * kSums; ++i) {
      a.push_back(to_bf16(drawn(i, 0, wild)));
      b.push_back(to_bf16(drawn(i, 1, wild)));
    }
    for (uint32_t i = 0; i < kSums; ++i) {
      c.push_back(drawn(i, 2, wild));
      expected.push_back(product_and_sum(a[2 * i], b[2 * i], product_and_sum(a[2 * i + 1], b[2 * i + 1], c[i])));
    }
    for (const std::string& isa : cpu::available_isas(cpu::IsaList::bf16)) {
      CAPTURE(isa);
      CAPTURE(wild);
      std::vector<float> sums = c;
      bf16::kernels_of(isa).dot(a.data(), b.data(), sums.data(), kSums);
      for (size_t i = 0; i < sums.size(); ++i) {
        if (!product_fits(a[2 * i], b[2 * i]) || !product_fits(a[2 * i + 1], b[2 * i + 1])) continue;
        CAPTURE(i);
        ++checked;
        if (std::isnan(expected[i])) {
          REQUIRE(std::isnan(sums[i]));
        } else {
          REQUIRE(std::bit_cast<uint32_t>(sums[i]) == std::bit_cast<uint32_t>(expected[i]));
        }
      }
    }
    CHECK(checked > kSums / 3);
  }
}

}  // namespace ntq
