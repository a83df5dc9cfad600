// F(2x2,3x3) (Lavin & Gray, arXiv 1509.09308) of bfloat16 and of codes: 16 products where the definition has 36.
// Y = A^T [(G g G^T) . (B^T d B)] A; with the last row of G negated A^T is (1 1 1 0 | 0 1 -1 1). B^T d B is rounded to
// bfloat16 once; of codes of up to 6 bits it is a whole number of at most 256, exact. M, the sum over channels, is
// never stored: columns 1 and 2 of a row are summed, their sum and difference go on as sums for columns 0 and 3, which
// are A's two columns then; rows 1 and 2 wait in cache for rows 0 and 3.
//
// v {group of kTiles, row 1 2 0 3, in_c / kDepth, kTiles, 4 columns, kDepth}
// u {panel, row 1 2 0 3, columns 1 2 or 0 3, in_c / 2, the two columns, kPanel, 2 channels}
#include "engine/backend/cpu/bf16/kernels/winograd.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

constexpr int kTiles = kTile / 2;        // two columns each fill the registers
constexpr int kRowOf[4] = {2, 0, 1, 3};  // where a row of the transform stands in v and u

/// A tile's kDepth channels to their places in v, rows `row` apart.
template <int kDepth, class X, class Pixel>
[[gnu::always_inline]] inline void input_block(const Pixel& pixel, int64_t at, int64_t row, BFloat16* v) {
  const auto put = [=](int i, int64_t place, Pairs pairs) {
    __builtin_memcpy(v + kRowOf[i] * row + place, &pairs, sizeof pairs);
  };
  if constexpr (kDepth >= 2 * kWidth) {
    using Read = Halves<X>;
    for (int64_t c = 0; c < kDepth; c += 2 * kWidth) {
      Vec a[4][4], b[4][4];
      input_transform([&](auto i, auto j) { return Read::first(pixel(i, j) + at + c); }, a);
      input_transform([&](auto i, auto j) { return Read::second(pixel(i, j) + at + c); }, b);
      unrolled<4>(
          [&](auto i) { unrolled<4>([&](auto j) { put(i, j * kDepth + c, Read::together(a[i][j], b[i][j])); }); });
    }
  } else {  // two columns are a vector
    Vec a[4][4];
    input_transform([&](auto i, auto j) { return values_at(pixel(i, j) + at); }, a);
    unrolled<4>([&](auto i) {
      put(i, 0, joined(a[i][0], a[i][1]));
      put(i, 2 * kDepth, joined(a[i][2], a[i][3]));
    });
  }
}

template <int kDepth, class X>
void input_tiles(const TiledInput& in, const X* x, int64_t begin, int64_t end, BFloat16* v) {
  const int64_t channels = in.images.channels, row = kTiles * 4 * channels;
  Tile t = tile_at(in.images, begin), later = tile_at(in.images, begin + kAhead);
  for (int64_t k = 0; k < end - begin; ++k, step(in.images, t), step(in.images, later)) {
    prefetch(in, x, later, 1);
    BFloat16* const to = v + k / kTiles * 4 * row + k % kTiles * 4 * kDepth;
    with_patch<4>(in, x, t, 1, [&](const auto& pixel) {
      for (int64_t c = 0; c < channels; c += kDepth) input_block<kDepth, X>(pixel, c, row, to + c * kTiles * 4);
    });
  }
}

void winograd_input(const TiledInput& input, int64_t begin, int64_t end, BFloat16* v) {
  with_type(input.x, [&](const auto* x) {
    input.images.channels % 32 == 0 ? input_tiles<32>(input, x, begin, end, v)
                                    : input_tiles<16>(input, x, begin, end, v);
  });
}

/// Of two columns of a row of M, by V vectors of output channels.
template <int V>
struct Sums {
  Vec of[2][kTiles][V];
};
/// op(h, m, k) for both columns, tiles and vectors.
template <int V, class Op>
[[gnu::always_inline]] inline void each_sum(const Op& op) {
  unrolled<2>([&](auto h) { unrolled<kTiles>([&](auto m) { unrolled<V>([&](auto k) { op(h, m, k); }); }); });
}

/// Two columns of a row, all channels; moves u on.
template <int kDepth, int kFirst, int kSecond, int V>
[[gnu::always_inline]] inline void add_columns(const BFloat16* v, const BFloat16*& u, int64_t in_c, Sums<V>& sums) {
  for (int64_t at = 0; at < in_c; at += kDepth, v += kTiles * 4 * kDepth) {
    for (int64_t c = 0; c < kDepth; c += 2, u += 4 * kPanel) {
      unrolled<2>([&](auto h) {
        Pairs wide[V];
        unrolled<V>([&](auto k) { wide[k] = load_pairs(u + (h * kPanel + k * kWidth) * 2); });
        unrolled<kTiles>([&](auto m) {
          const Pairs pair = splat_pair(v + (m * 4 + (h == 0 ? kFirst : kSecond)) * kDepth + c);
          unrolled<V>([&](auto k) { sums.of[h][m][k] = dot(pair, wide[k], sums.of[h][m][k]); });
        });
      });
    }
  }
}

/// A group of tiles and a strip of V vectors of a panel: outputs {row, column, kTiles, kPanel}.
template <int kDepth, int V>
void multiply(const BFloat16* v, const BFloat16* u, int64_t in_c, float* outputs) {
  Sums<V> waiting[2];
  for (int row = 0; row < 4; ++row, v += kTiles * 4 * in_c) {
    Sums<V> sums;
    each_sum<V>([&](auto h, auto m, auto k) { sums.of[h][m][k] = Vec{}; });
    add_columns<kDepth, 1, 2>(v, u, in_c, sums);
    unrolled<kTiles>([&](auto m) {
      unrolled<V>([&](auto k) {
        const Vec a = sums.of[0][m][k], b = sums.of[1][m][k];
        sums.of[0][m][k] = a + b;
        sums.of[1][m][k] = a - b;
      });
    });
    if (row == 2) {
      each_sum<V>([&](auto h, auto m, auto k) { sums.of[h][m][k] += waiting[0].of[h][m][k] + waiting[1].of[h][m][k]; });
    } else if (row == 3) {
      each_sum<V>([&](auto h, auto m, auto k) { sums.of[h][m][k] += waiting[0].of[h][m][k] - waiting[1].of[h][m][k]; });
    }
    add_columns<kDepth, 0, 3>(v, u, in_c, sums);
    if (row < 2) {
      each_sum<V>([&](auto h, auto m, auto k) { waiting[row].of[h][m][k] = sums.of[h][m][k]; });
    } else {
      float* to = outputs + (row - 2) * 2 * kTiles * kPanel;
      each_sum<V>(
          [&](auto h, auto m, auto k) { store(to + (h * kTiles + m) * kPanel + k * kWidth, sums.of[h][m][k]); });
    }
  }
}

[[maybe_unused]] inline void put_output(float* y, const float* from) { store(y, load(from)); }
[[maybe_unused]] inline void put_output(BFloat16* y, const float* from) {
  const VecH halves = rounded(load(from));
  __builtin_memcpy(y, &halves, sizeof halves);
}

/// Outputs of `count` tiles from t on to y, which begins with the panel's channels; those outside are left out.
template <class Y>
void finish(const TiledImages& g, Tile t, int64_t count, int vectors, const float* outputs, Y* y) {
  for (int64_t m = 0; m < count; ++m, step(g, t)) {
    for (int i = 0; i < 2 && t.row + i < g.h; ++i) {
      Y* to = y + ((t.image * g.h + t.row + i) * g.w + t.column) * g.channels;
      const float* from = outputs + (i * 2 * kTiles + m) * kPanel;
      for (int j = 0; j < 2 && t.column + j < g.w; ++j, to += g.channels, from += kTiles * kPanel) {
        for (int k = 0; k < vectors; ++k) put_output(to + k * kWidth, from + k * kWidth);
      }
    }
  }
}

template <int kDepth, class Y>
void multiply_tiles(const WinogradProduct& p, Y* y, int64_t begin, int64_t end, int64_t panel_begin,
                    int64_t panel_end) {
  alignas(64) float outputs[4 * kTiles * kPanel];
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    const int64_t at = panel * kPanel;
    const int vectors = p.images.channels - at > kWidth ? 2 : 1;
    const auto strip = vectors == 2 ? multiply<kDepth, 2> : multiply<kDepth, 1>;
    for (int64_t t = begin; t < end; t += kTiles) {
      strip(p.v + (t - begin) * 16 * p.in_c, p.u + at * 16 * p.in_c, p.in_c, outputs);
      finish(p.images, tile_at(p.images, t), end - t < kTiles ? end - t : kTiles, vectors, outputs, y + at);
    }
  }
}

void winograd_product(const WinogradProduct& p, int64_t begin, int64_t end, int64_t panel_begin, int64_t panel_end) {
  const auto run = [&](auto* y) {
    p.in_c % 32 == 0 ? multiply_tiles<32>(p, y, begin, end, panel_begin, panel_end)
                     : multiply_tiles<16>(p, y, begin, end, panel_begin, panel_end);
  };
  p.y.type == DType::bf16 ? run(static_cast<BFloat16*>(p.y.data)) : run(static_cast<float*>(p.y.data));
}

}  // namespace

void fill_winograd(Kernels& t) {
  t.winograd_group = kTiles;
  t.winograd_panel = kPanel;
  t.winograd_input = winograd_input;
  t.winograd_product = winograd_product;
}

}  // namespace ntq::bf16::NTQ_ISA
