#pragma once
// The register tile of products: M rows by V vectors of float32 sums. Its loops are written out by the compiler's front
// end, since g++ keeps an array that loops run over in memory.
#include "engine/backend/cpu/bf16/kernels/dot.h"
#include "engine/backend/cpu/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

/// op(Count<0>{}), op(Count<1>{}), ... before Count<N>.
template <int N, int I = 0, class Op>
[[gnu::always_inline]] inline void each(const Op& op) {
  if constexpr (I < N) {
    op(Count<I>{});
    each<N, I + 1>(op);
  }
}

template <int M, int V>
struct Tile {
  Vec sums[M * V];

  /// op(sum, row, its first float) for all vectors.
  template <class Op>
  [[gnu::always_inline]] void each_sum(const Op& op) {
    each<M * V>([&](auto i) __attribute__((always_inline)) { op(sums[i.value], i.value / V, i.value % V * kWidth); });
  }
  [[gnu::always_inline]] void clear() {
    each_sum([](Vec & sum, int, int) __attribute__((always_inline)) { sum = Vec{}; });
  }
  /// Rows of kPanel floats.
  [[gnu::always_inline]] void load_rows(const float* from) {
    each_sum([=](Vec & sum, int m, int c) __attribute__((always_inline)) { sum = load(from + m * kPanel + c); });
  }
  [[gnu::always_inline]] void store_rows(float* to) {
    each_sum([=](Vec & sum, int m, int c) __attribute__((always_inline)) { store(to + m * kPanel + c, sum); });
  }
  /// += pair(row) times a row of the panel.
  template <class Pair>
  [[gnu::always_inline]] void add(const Pair& pair, const BFloat16* panel) {
    Pairs wide[V];
    each<V>([&](auto v) __attribute__((always_inline)) { wide[v.value] = load_pairs(panel + 2 * v.value * kWidth); });
    each<M>([&](auto m) __attribute__((always_inline)) {
      const Pairs one = splat_pair(pair(m));
      each<V>([&](auto v) __attribute__((always_inline)) {
        Vec& sum = sums[m.value * V + v.value];
        sum = dot(one, wide[v.value], sum);
      });
    });
  }
};

}  // namespace
}  // namespace ntq::bf16::NTQ_ISA
