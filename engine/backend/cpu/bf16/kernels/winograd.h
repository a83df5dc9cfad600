#pragma once
// What the kernels of Winograd's F(2x2,3x3) have in common: tiles and their patches, B^T
// d B.
#include "engine/backend/cpu/bf16/kernels/kernels.h"
#include "engine/backend/cpu/bf16/kernels/tile.h"
#include "engine/backend/cpu/kernels/bytes.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

/// kWidth values as floats: bfloat16, or codes as whole numbers.
[[maybe_unused]] inline Vec values_at(const BFloat16* p) { return load(p); }
template <class Code>
inline Vec values_at(const Code* p) {
  return whole_numbers(p);
}

/// 2 * kWidth values as two vectors, the way that is cheapest, and how to put such vectors back, rounded, in their
/// order.
struct EvenOdd {
  static Vec first(const BFloat16* p) { return reinterpret_cast<Vec>(load_pairs(p) << 16); }
  static Vec second(const BFloat16* p) { return reinterpret_cast<Vec>(load_pairs(p) & (Pairs{} + 0xffff0000u)); }
  static Pairs together(Vec a, Vec b) { return zipped(a, b); }
};
template <class Code>
struct TwoHalves {
  static Vec first(const Code* p) { return values_at(p); }
  static Vec second(const Code* p) { return values_at(p + kWidth); }
  static Pairs together(Vec a, Vec b) { return joined(a, b); }
};
template <class X>
struct Halves : TwoHalves<X> {};
template <>
struct Halves<BFloat16> : EvenOdd {};

/// op(pointer) with the input's type.
template <class Op>
inline void with_type(ConstView x, const Op& op) {
  if (x.type == DType::bf16) return op(static_cast<const BFloat16*>(x.data));
  if (x.type == DType::u8) return op(static_cast<const uint8_t*>(x.data));
  op(static_cast<const int8_t*>(x.data));
}

/// A tile: its first pixel.
struct TileAt {
  int64_t image, row, column;
};
[[maybe_unused]] inline TileAt tile_at(const TiledImages& g, int64_t number) {
  const int64_t columns = (g.w + 1) / 2, line = number / columns, rows = (g.h + 1) / 2;
  return {line / rows, line % rows * 2, number % columns * 2};
}
[[maybe_unused]] inline void step(const TiledImages& g, TileAt& t) {
  if ((t.column += 2) < g.w) return;
  t.column = 0;
  if ((t.row += 2) < g.h) return;
  t.row = 0;
  ++t.image;
}

/// op(pixel) for the kSize x kSize pixels from (row, column) of an image on: pixel(i, j) points to them, or to zeros
/// for those outside.
template <int kSize, class X, class Op>
[[gnu::always_inline]] inline void with_patch(const TiledInput& in, const X* x, const TileAt& t, int64_t margin,
                                              const Op& op) {
  const TiledImages& g = in.images;
  const int64_t row = t.row - margin, column = t.column - margin, channels = g.channels, pitch = g.w * channels;
  const X* const first = x + (t.image * g.h + row) * pitch + column * channels;
  if (row >= 0 && row + kSize <= g.h && column >= 0 && column + kSize <= g.w)
    return op([=](auto i, auto j) { return first + (i * pitch + j * channels); });
  const X* pixels[kSize][kSize];
  for (int i = 0; i < kSize; ++i) {
    const bool there = row + i >= 0 && row + i < g.h;
    for (int j = 0; j < kSize; ++j) {
      const bool inside = there && column + j >= 0 && column + j < g.w;
      pixels[i][j] = inside ? first + (i * pitch + j * channels) : static_cast<const X*>(in.zeros);
    }
  }
  op([&pixels](auto i, auto j) { return pixels[i][j]; });
}

constexpr int64_t kAhead = 16;  // tiles, about as far as memory is
/// Asks for the pixels of tile t that the tiles above it have not read.
template <class X>
[[gnu::always_inline]] inline void prefetch(const TiledInput& in, const X* x, const TileAt& t, int64_t margin) {
  constexpr int64_t kLine = 64;
  const TiledImages& g = in.images;
  const int64_t bytes = g.channels * int64_t{sizeof(X)}, pitch = g.w * bytes;
  const char* from = reinterpret_cast<const char*>(x) + (t.image * g.h + t.row + margin) * pitch + t.column * bytes;
  for (int i = 0; i < 2; ++i, from += pitch) {
    for (int64_t at = 0; at < 2 * bytes; at += kLine) __builtin_prefetch(from + at);
  }
}

/// B^T d for B^T = (1 0 -1 0 | 0 1 1 0 | 0 -1 1 0 | 0 1 0 -1).
[[gnu::always_inline]] inline void input_line(const Vec& d0, const Vec& d1, const Vec& d2, const Vec& d3, Vec* to) {
  to[0] = d0 - d2;
  to[1] = d1 + d2;
  to[2] = d2 - d1;
  to[3] = d1 - d3;
}
/// B^T d B, at(i, j) giving d.
template <class At>
[[gnu::always_inline]] inline void input_transform(const At& at, Vec (&to)[4][4]) {
  Vec half[4][4];  // column, row
  each<4>(
      [&](auto j) { input_line(at(Count<0>{}, j), at(Count<1>{}, j), at(Count<2>{}, j), at(Count<3>{}, j), half[j]); });
  each<4>([&](auto i) { input_line(half[0][i], half[1][i], half[2][i], half[3][i], to[i]); });
}

}  // namespace
}  // namespace ntq::bf16::NTQ_ISA
