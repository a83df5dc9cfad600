#pragma once
// The register tile of the convolution kernels: kTile rows by one panel of kVecs vectors. With the panel's vectors and
// one broadcast it fills the register file: 12 + 3 of 16 (portable, AVX2), 24 + 3 of 32 (AVX-512).
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

#if defined(NTQ_ISA_avx512)
constexpr int kTile = 12;
#else
constexpr int kTile = 6;
#endif
constexpr int kVecs = 2;
constexpr int kPanel = kVecs * kWidth;

[[maybe_unused]] inline void clear_row(Vec* acc) {
  for (int v = 0; v < kVecs; ++v) acc[v] = Vec{};
}
[[maybe_unused]] inline void load_row(Vec* acc, const float* p, int64_t channels) {
  if (channels == kPanel) {
    for (int v = 0; v < kVecs; ++v) acc[v] = load(p + v * kWidth);
    return;
  }
  for (int v = 0; v < kVecs; ++v) {
    const int64_t n = channels - v * kWidth;
    acc[v] = n >= kWidth ? load(p + v * kWidth) : n > 0 ? load_part(p + v * kWidth, n) : Vec{};
  }
}
[[maybe_unused]] inline void store_row(float* p, const Vec* acc, int64_t channels) {
  if (channels == kPanel) {
    for (int v = 0; v < kVecs; ++v) store(p + v * kWidth, acc[v]);
    return;
  }
  for (int v = 0; v < kVecs; ++v) {
    const int64_t n = channels - v * kWidth;
    if (n >= kWidth) {
      store(p + v * kWidth, acc[v]);
    } else if (n > 0) {
      store_part(p + v * kWidth, acc[v], n);
    }
  }
}

/// A number of rows as a type, so that a tile's loops unroll.
template <int N>
struct Rows {
  static constexpr int value = N;
};

/// Calls op(Rows<count>) for count in [1, kTile].
template <int N = kTile, class Op>
inline void with_tile_rows(int64_t count, const Op& op) {
  if (count == N) {
    op(Rows<N>{});
  } else if constexpr (N > 1) {
    with_tile_rows<N - 1>(count, op);
  }
}

/// out {M rows} = a {M rows, depth} * panel {depth, kPanel}.
template <int M>
inline void product_tile(const float* a, int64_t a_stride, int64_t depth, const float* panel, float* out,
                         int64_t out_stride, int64_t channels) {
  Vec acc[M][kVecs];
  for (int m = 0; m < M; ++m) clear_row(acc[m]);
  for (int64_t k = 0; k < depth; ++k, panel += kPanel) {
    Vec wide[kVecs];
    for (int v = 0; v < kVecs; ++v) wide[v] = load(panel + v * kWidth);
    for (int m = 0; m < M; ++m) {
      const Vec one = splat(a[m * a_stride + k]);
      for (int v = 0; v < kVecs; ++v) acc[m][v] = fma(one, wide[v], acc[m][v]);
    }
  }
  for (int m = 0; m < M; ++m) store_row(out + m * out_stride, acc[m], channels);
}

/// acc {M rows, channels} += sum over `rows` of d {rows, M} x v {rows, channels}.
template <int M>
inline void outer_tile(const float* d, int64_t d_stride, const float* v, int64_t v_stride, int64_t rows, float* acc,
                       int64_t acc_stride, int64_t channels) {
  Vec sum[M][kVecs];
  for (int m = 0; m < M; ++m) load_row(sum[m], acc + m * acc_stride, channels);
  for (int64_t r = 0; r < rows; ++r, d += d_stride, v += v_stride) {
    Vec wide[kVecs];
    if (channels == kPanel) {
      for (int i = 0; i < kVecs; ++i) wide[i] = load(v + i * kWidth);
    } else {
      load_row(wide, v, channels);
    }
    for (int m = 0; m < M; ++m) {
      const Vec one = splat(d[m]);
      for (int i = 0; i < kVecs; ++i) sum[m][i] = fma(one, wide[i], sum[m][i]);
    }
  }
  for (int m = 0; m < M; ++m) store_row(acc + m * acc_stride, sum[m], channels);
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
