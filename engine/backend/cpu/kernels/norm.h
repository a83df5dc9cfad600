#pragma once
// What batch norm's kernels share: strips of channels, whose constants and sums stay in registers over many rows.
#include "engine/backend/cpu/kernels/each_vec.h"
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int kStrip = 4;         // vectors of the widest strip
constexpr int64_t kColumns = 16;  // channels whose sums are joined side by side

template <int I>
struct Index {
  constexpr operator int() const { return I; }
};
/// op(0) to op(N - 1), each compiled for itself: arrays of N stay in registers.
template <int N, int I = 0, class Op>
[[gnu::always_inline]] inline void each_of(const Op& op) {
  if constexpr (I < N) {
    op(Index<I>());
    each_of<N, I + 1>(op);
  }
}

/// N vectors of channels, the first of which is c; of the only one of the last strip, `rest` lanes.
template <int N, bool Whole>
struct Strip {
  static constexpr int kVecs = N;
  int64_t c, rest;
  int64_t lanes() const { return Whole ? kWidth : rest; }
  int64_t at(int i) const { return c + i * kWidth; }
};

template <class Op>
inline void each_strip(int64_t channels, const Op& op) {
  int64_t c = 0;
  for (; c + kStrip * kWidth <= channels; c += kStrip * kWidth) op(Strip<kStrip, true>{c, 0});
  if (c + 2 * kWidth <= channels) op(Strip<2, true>{c, 0}), c += 2 * kWidth;
  if (c + kWidth <= channels) op(Strip<1, true>{c, 0}), c += kWidth;
  if (c < channels) op(Strip<1, false>{c, channels - c});
}

/// A bit for each lane of a mask, and back.
[[maybe_unused]] inline uint16_t bits_of(VecI mask) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
#elif defined(__AVX2__)
  return static_cast<uint16_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#else
  return static_cast<uint16_t>((mask[0] & 1) | (mask[1] & 2) | (mask[2] & 4) | (mask[3] & 8));
#endif
}
[[maybe_unused]] inline VecI lanes_of(uint16_t bits) {
#if defined(__AVX512F__)
  return reinterpret_cast<VecI>(_mm512_movm_epi32(bits));
#else
  VecI bit;
  for (int i = 0; i < kWidth; ++i) bit[i] = 1 << i;
  return ((VecI{} + int32_t{bits}) & bit) != VecI{};
#endif
}

/// What a norm gives in a strip of channels.
template <class T, class S>
struct Values {
  const T *x, *residual;
  bool relu;
  S strip;
  Vec mean[S::kVecs], factor[S::kVecs], beta[S::kVecs];

  Values(const NormInputs<T>& a, S s) : x(a.x), residual(a.residual), relu(a.relu), strip(s) {
    for (int i = 0; i < S::kVecs; ++i) {
      mean[i] = get(a.mean + s.at(i), s.lanes());
      factor[i] = get(a.inv_std + s.at(i), s.lanes()) * get(a.gamma + s.at(i), s.lanes());
      beta[i] = a.beta ? get(a.beta + s.at(i), s.lanes()) : Vec{};
    }
  }
  Vec centred(int64_t at, int i) const { return get(x + at, strip.lanes()) - mean[i]; }
  /// Of the strip's vector i, which begins at `at`, from its centred x.
  Vec value(Vec from, int64_t at, int i) const {
    Vec v = from * factor[i] + beta[i];
    if (residual) v += get(residual + at, strip.lanes());
    return relu ? select(v < Vec{}, Vec{}, v) : v;
  }
};

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
