#pragma once
// What the kernels of Winograd's F(2x2,3x3) have in common: loops that stay in registers, tiles and their patches, B^T
// d B.
#include "engine/backend/cpu/bf16/kernels/dot.h"
#include "engine/backend/cpu/bf16/kernels/kernels.h"
#include "engine/backend/cpu/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

/// A number as a type.
template <int N>
struct Index {
  constexpr operator int() const { return N; }
};
/// op(Index<0>), op(Index<1>) .. op(Index<N - 1>): what they index may stay in registers.
template <int N, int I = 0, class Op>
[[gnu::always_inline]] inline void unrolled(const Op& op) {
  if constexpr (I < N) {
    op(Index<I>{});
    unrolled<N, I + 1>(op);
  }
}

/// kWidth values as floats: bfloat16, or codes as whole numbers.
[[maybe_unused]] inline Vec values_at(const BFloat16* p) { return load(p); }
template <class Code>
inline Vec values_at(const Code* p) {
  typedef Code Codes __attribute__((vector_size(kWidth)));
  Codes codes;
  __builtin_memcpy(&codes, p, sizeof codes);
  return __builtin_convertvector(__builtin_convertvector(codes, VecI), Vec);
}

/// op(pointer) with the input's type.
template <class Op>
inline void with_type(ConstView x, const Op& op) {
  if (x.type == DType::bf16) return op(static_cast<const BFloat16*>(x.data));
  if (x.type == DType::u8) return op(static_cast<const uint8_t*>(x.data));
  op(static_cast<const int8_t*>(x.data));
}

/// A tile: its first pixel.
struct Tile {
  int64_t image, row, column;
};
[[maybe_unused]] inline Tile tile_at(const TiledImages& g, int64_t number) {
  const int64_t columns = (g.w + 1) / 2, line = number / columns, rows = (g.h + 1) / 2;
  return {line / rows, line % rows * 2, number % columns * 2};
}
[[maybe_unused]] inline void step(const TiledImages& g, Tile& t) {
  if ((t.column += 2) < g.w) return;
  t.column = 0;
  if ((t.row += 2) < g.h) return;
  t.row = 0;
  ++t.image;
}

/// Pointers to the kSize x kSize pixels from (row, column) of an image on; to zeros for those outside.
template <class X, int kSize>
struct Patch {
  Patch(const TiledImages& g, const X* x, const X* zeros, int64_t image, int64_t row, int64_t column) {
    const int64_t pitch = g.w * g.channels;
    const X* const first = x + (image * g.h + row) * pitch + column * g.channels;
    if (row >= 0 && row + kSize <= g.h && column >= 0 && column + kSize <= g.w) {
      unrolled<kSize>(
          [&](auto i) { unrolled<kSize>([&](auto j) { pixel[i][j] = first + (i * pitch + j * g.channels); }); });
      return;
    }
    for (int i = 0; i < kSize; ++i) {
      const bool there = row + i >= 0 && row + i < g.h;
      for (int j = 0; j < kSize; ++j) {
        const bool inside = there && column + j >= 0 && column + j < g.w;
        pixel[i][j] = inside ? first + (i * pitch + j * g.channels) : zeros;
      }
    }
  }
  const X* pixel[kSize][kSize];
};

/// B^T d for B^T = (1 0 -1 0 | 0 1 1 0 | 0 -1 1 0 | 0 1 0 -1).
[[gnu::always_inline]] inline void input_line(const Vec& d0, const Vec& d1, const Vec& d2, const Vec& d3, Vec* to) {
  to[0] = d0 - d2;
  to[1] = d1 + d2;
  to[2] = d2 - d1;
  to[3] = d1 - d3;
}
/// The 4x4 values B^T d B of kWidth channels from c on.
template <class X>
[[gnu::always_inline]] inline void transform(const Patch<X, 4>& patch, int64_t c, Vec (&to)[4][4]) {
  Vec half[4][4];  // column, row
  unrolled<4>([&](auto j) {
    input_line(values_at(patch.pixel[0][j] + c), values_at(patch.pixel[1][j] + c), values_at(patch.pixel[2][j] + c),
               values_at(patch.pixel[3][j] + c), half[j]);
  });
  unrolled<4>([&](auto i) { input_line(half[0][i], half[1][i], half[2][i], half[3][i], to[i]); });
}

}  // namespace
}  // namespace ntq::bf16::NTQ_ISA
