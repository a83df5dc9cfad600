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
      each<4>([&](auto i) { each<4>([&](auto j) { put(i, j * kDepth + c, Read::together(a[i][j], b[i][j])); }); });
    }
  } else {  // two columns are a vector
    Vec a[4][4];
    input_transform([&](auto i, auto j) { return values_at(pixel(i, j) + at); }, a);
    each<4>([&](auto i) {
      put(i, 0, joined(a[i][0], a[i][1]));
      put(i, 2 * kDepth, joined(a[i][2], a[i][3]));
    });
  }
}

template <int kDepth, class X>
void input_tiles(const TiledInput& in, const X* x, int64_t begin, int64_t end, BFloat16* v) {
  const int64_t channels = in.images.channels, row = kTiles * 4 * channels;
  TileAt t = tile_at(in.images, begin), later = tile_at(in.images, begin + kAhead);
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

/// Tiles that fill the registers with V vectors of output channels.
template <int V>
constexpr int kTilesOf = kTiles* kVecs / V;

/// Of two columns of a row of M.
template <int V>
struct Sums {
  Vec of[2][kTilesOf<V>][V];
};
/// op(h, m, k) for both columns, tiles and vectors.
template <int V, class Op>
[[gnu::always_inline]] inline void each_sum(const Op& op) {
  each<2>([&](auto h) { each<kTilesOf<V>>([&](auto m) { each<V>([&](auto k) { op(h, m, k); }); }); });
}

/// Two columns of a row, all channels; moves u on. v: a row of each group.
template <int kDepth, int kFirst, int kSecond, int V>
[[gnu::always_inline]] inline void add_columns(const BFloat16* const (&v)[kVecs / V], const BFloat16*& u, int64_t in_c,
                                               Sums<V>& sums) {
  for (int64_t at = 0; at < in_c * kTiles * 4; at += kDepth * kTiles * 4) {
    for (int64_t c = at; c < at + kDepth; c += 2, u += 4 * kPanel) {
      each<2>([&](auto h) {
        Pairs wide[V];
        each<V>([&](auto k) { wide[k] = load_pairs(u + (h * kPanel + k * kWidth) * 2); });
        each<kTilesOf<V>>([&](auto m) {
          const Pairs pair = splat_pair(v[m / kTiles] + (m % kTiles * 4 + (h == 0 ? kFirst : kSecond)) * kDepth + c);
          each<V>([&](auto k) { sums.of[h][m][k] = dot(pair, wide[k], sums.of[h][m][k]); });
        });
      });
    }
  }
}

/// Groups of tiles and a strip of V vectors of a panel: outputs {row, column, kTilesOf<V>, kPanel}.
template <int kDepth, int V>
void multiply(const BFloat16* const* groups, const BFloat16* u, int64_t in_c, float* outputs) {
  const BFloat16* v[kVecs / V];
  each<kVecs / V>([&](auto i) { v[i] = groups[i]; });
  Sums<V> waiting[2];
  for (int row = 0; row < 4; ++row) {
    Sums<V> sums;
    each_sum<V>([&](auto h, auto m, auto k) { sums.of[h][m][k] = Vec{}; });
    add_columns<kDepth, 1, 2, V>(v, u, in_c, sums);
    each<kTilesOf<V>>([&](auto m) {
      each<V>([&](auto k) {
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
    add_columns<kDepth, 0, 3, V>(v, u, in_c, sums);
    each<kVecs / V>([&](auto i) { v[i] += kTiles * 4 * in_c; });
    if (row < 2) {
      each_sum<V>([&](auto h, auto m, auto k) { waiting[row].of[h][m][k] = sums.of[h][m][k]; });
    } else {
      float* to = outputs + (row - 2) * 2 * kTilesOf<V> * kPanel;
      each_sum<V>(
          [&](auto h, auto m, auto k) { store(to + (h * kTilesOf<V> + m) * kPanel + k * kWidth, sums.of[h][m][k]); });
    }
  }
}

[[maybe_unused]] inline void put_output(float* y, const float* from) { store(y, load(from)); }
[[maybe_unused]] inline void put_output(BFloat16* y, const float* from) {
  const VecH halves = rounded(load(from));
  __builtin_memcpy(y, &halves, sizeof halves);
}

/// The first `count` tiles' outputs, from t on, to y, which begins with the strip's channels; those outside are left
/// out.
template <int V, class Y>
void finish(const TiledImages& g, TileAt t, int64_t count, const float* outputs, Y* y) {
  for (int64_t m = 0; m < count; ++m, step(g, t)) {
    for (int i = 0; i < 2 && t.row + i < g.h; ++i) {
      Y* to = y + ((t.image * g.h + t.row + i) * g.w + t.column) * g.channels;
      const float* from = outputs + (i * 2 * kTilesOf<V> + m) * kPanel;
      for (int j = 0; j < 2 && t.column + j < g.w; ++j, to += g.channels, from += kTilesOf<V> * kPanel)
        each<V>([&](auto k) { put_output(to + k * kWidth, from + k * kWidth); });
    }
  }
}

template <int kDepth, int V, class Y>
void multiply_strip(const WinogradProduct& p, const BFloat16* u, int64_t begin, int64_t end, Y* y) {
  alignas(64) float outputs[4 * kTilesOf<V> * kPanel];
  for (int64_t t = begin; t < end; t += kTilesOf<V>) {
    const BFloat16* groups[kVecs / V];
    for (int i = 0; i < kVecs / V; ++i)  // behind the last group the first one again
      groups[i] = p.v + (t - begin + (t + i * kTiles < end ? i * kTiles : 0)) * 16 * p.in_c;
    multiply<kDepth, V>(groups, u, p.in_c, outputs);
    finish<V>(p.images, tile_at(p.images, t), end - t < kTilesOf<V> ? end - t : kTilesOf<V>, outputs, y);
  }
}

template <int kDepth, class Y>
void multiply_tiles(const WinogradProduct& p, Y* y, int64_t begin, int64_t end, int64_t panel_begin,
                    int64_t panel_end) {
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    const int64_t at = panel * kPanel;
    const auto strip = p.images.channels - at > kWidth ? multiply_strip<kDepth, 2, Y> : multiply_strip<kDepth, 1, Y>;
    strip(p, p.u + at * 16 * p.in_c, begin, end, y + at);
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
