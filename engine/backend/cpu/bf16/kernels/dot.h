#pragma once
// The dot product of pairs of bfloat16 into float32, as vdpbf16ps has it, on every instruction set.
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

using namespace ntq::cpu::NTQ_ISA;  // vectors

typedef uint32_t Pairs __attribute__((vector_size(kWidth * 4)));  // of bfloat16, the first in the lower half

[[maybe_unused]] inline Pairs load_pairs(const BFloat16* p) {
  Pairs v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
/// One pair in all lanes.
[[maybe_unused]] inline Pairs splat_pair(const BFloat16* p) {
  uint32_t pair;
  __builtin_memcpy(&pair, p, sizeof pair);
#if defined(__AVX512F__)
  return reinterpret_cast<Pairs>(_mm512_set1_epi32(static_cast<int>(pair)));
#else
  return Pairs{} + pair;
#endif
}

#ifndef __AVX512BF16__
/// 0 for a subnormal number, with its sign.
[[maybe_unused]] inline Vec flushed(Vec v) {
  const VecI bits = reinterpret_cast<VecI>(v), exponent = bits & (VecI{} + 0x7f800000);
  return reinterpret_cast<Vec>(bits & ((exponent != VecI{}) | (VecI{} + INT32_MIN)));
}
/// a * b + c in one rounding: the product of two numbers of 8 bits is exact in float32, unless it is below 2^-126 or
/// beyond the largest number. There alone, where nothing is left to train, the instruction has other bits.
[[maybe_unused]] inline Vec add_product(Vec a, Vec b, Vec c) { return flushed(a * b + c); }
#endif

/// sum + a1 b1, rounded, + a0 b0, rounded; subnormal inputs, and results, are 0.
[[maybe_unused]] inline Vec dot(Pairs a, Pairs b, Vec sum) {
#if defined(__AVX512BF16__)
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
#else
  const auto upper = [](Pairs p) { return flushed(reinterpret_cast<Vec>(p & (Pairs{} + 0xffff0000u))); };
  const auto lower = [](Pairs p) { return flushed(reinterpret_cast<Vec>(p << 16)); };
  return add_product(lower(a), lower(b), add_product(upper(a), upper(b), flushed(sum)));
#endif
}

}  // namespace
}  // namespace ntq::bf16::NTQ_ISA
