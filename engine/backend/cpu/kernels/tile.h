#pragma once
// The register tile of the convolution kernels: kTile rows by one panel of kVecs vectors. With the panel's vectors and
// one broadcast it fills the register file: 12 + 3 of 16 (portable, AVX2), 24 + 3 of 32 (AVX-512). The last panel may
// have channels for one vector only (16 channels with AVX-512): tiles come in V = 1 and V = kVecs vectors.
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kTile = 12;
#else
constexpr int kTile = 6;
#endif
constexpr int kVecs = 2;
constexpr int kPanel = kVecs * kWidth;

template <int V>
inline void clear_row(Vec* acc) {
  for (int v = 0; v < V; ++v) acc[v] = Vec{};
}
// The edge of a tile, lane by lane: behind masked loads and stores g++ 12 keeps the tile's sums in memory.
inline Vec load_edge(const float* p, int64_t n) {
  Vec v = {};
  for (int i = 0; i < kWidth; ++i) v[i] = i < n ? p[i] : 0.0f;
  return v;
}
inline void store_edge(float* p, Vec v, int64_t n) {
  for (int i = 0; i < kWidth && i < n; ++i) p[i] = v[i];
}

template <int V>
inline void load_row(Vec* acc, const float* p, int64_t channels) {
  if (channels == V * kWidth) {
    for (int v = 0; v < V; ++v) acc[v] = load(p + v * kWidth);
    return;
  }
  for (int v = 0; v < V; ++v) {
    const int64_t n = channels - v * kWidth;
    acc[v] = n >= kWidth ? load(p + v * kWidth) : n > 0 ? load_edge(p + v * kWidth, n) : Vec{};
  }
}
template <int V>
inline void store_row(float* p, const Vec* acc, int64_t channels) {
  if (channels == V * kWidth) {
    for (int v = 0; v < V; ++v) store(p + v * kWidth, acc[v]);
    return;
  }
  for (int v = 0; v < V; ++v) {
    const int64_t n = channels - v * kWidth;
    if (n >= kWidth) {
      store(p + v * kWidth, acc[v]);
    } else if (n > 0) {
      store_edge(p + v * kWidth, acc[v], n);
    }
  }
}

/// A number as a type, so that a tile's loops unroll.
template <int N>
struct Count {
  static constexpr int value = N;
  constexpr operator int() const { return N; }  // NOLINT: it is one
};

/// Calls op(Count<rows>) for rows in [1, kTile].
template <int N = kTile, class Op>
inline void with_rows(int64_t rows, const Op& op) {
  if (rows == N) {
    op(Count<N>{});
  } else if constexpr (N > 1) {
    with_rows<N - 1>(rows, op);
  }
}

/// Calls op(Count<rows>, Count<vectors>): the tile for these rows and for channels in [1, kPanel].
template <class Op>
inline void with_tile(int64_t rows, int64_t channels, const Op& op) {
  if (channels <= kWidth) {
    with_rows(rows, [&](auto m) { op(m, Count<1>{}); });
  } else {
    with_rows(rows, [&](auto m) { op(m, Count<kVecs>{}); });
  }
}

/// out {M rows, channels} = a {M rows, depth} * panel {depth, kPanel}.  One tap of conv.cpp's tile, at strides instead
/// of through pointers, which costs a small network's step 3%.
template <int M, int V>
inline void product_tile(const float* a, int64_t a_stride, int64_t depth, const float* panel, float* out,
                         int64_t out_stride, int64_t channels) {
  Vec acc[M][V];
  for (int m = 0; m < M; ++m) clear_row<V>(acc[m]);
  for (int64_t k = 0; k < depth; ++k, panel += kPanel) {
    Vec wide[V];
    for (int v = 0; v < V; ++v) wide[v] = load(panel + v * kWidth);
    for (int m = 0; m < M; ++m) {
      const Vec one = splat(a[m * a_stride + k]);
      for (int v = 0; v < V; ++v) acc[m][v] = fma(one, wide[v], acc[m][v]);
    }
  }
  for (int m = 0; m < M; ++m) store_row<V>(out + m * out_stride, acc[m], channels);
}

/// acc {M rows, channels} += the sum over i of d {count, M} x row(i) {channels}.
template <int M, int V, class Row>
inline void outer_tile(int64_t count, const float* d, int64_t d_stride, const Row& row, float* acc, int64_t acc_stride,
                       int64_t channels) {
  Vec sum[M][V];
  for (int m = 0; m < M; ++m) load_row<V>(sum[m], acc + m * acc_stride, channels);
  for (int64_t i = 0; i < count; ++i, d += d_stride) {
    Vec wide[V];
    load_row<V>(wide, row(i), channels);
    for (int m = 0; m < M; ++m) {
      const Vec one = splat(d[m]);
      for (int v = 0; v < V; ++v) sum[m][v] = fma(one, wide[v], sum[m][v]);
    }
  }
  for (int m = 0; m < M; ++m) store_row<V>(acc + m * acc_stride, sum[m], channels);
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
