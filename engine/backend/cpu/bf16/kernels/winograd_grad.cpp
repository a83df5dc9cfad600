// The filter gradient of F(2x2,3x3): G^T [sum over tiles of (B^T d B) . (A dY A^T)] G, tiles in pairs, which a dot
// product sums. Both transforms are rounded to bfloat16 once.
#include "engine/backend/cpu/bf16/kernels/winograd.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

/// Where channel c of the first pair stands in a transform, and what is between pairs and between the 16 products.
struct Place {
  int64_t first, pair, product;
};
inline Place place_of(int64_t channels, int64_t pairs, int64_t c) {
  const int64_t before = c / kPairBlock * kPairBlock, rest = channels - before;
  const int64_t pair = 2 * (rest < kPairBlock ? rest : kPairBlock), stride = pair_stride(pairs);
  return {before * 32 * stride + c % kPairBlock * 2, pair, pair * stride};
}

/// A y for A^T = (1 1 1 0 | 0 1 -1 1).
[[gnu::always_inline]] inline void grad_line(const Vec& y0, const Vec& y1, Vec* to) {
  to[0] = y0;
  to[1] = y0 + y1;
  to[2] = y0 - y1;
  to[3] = y1;
}
template <class At>
[[gnu::always_inline]] inline void grad_transform(const At& at, Vec (&to)[4][4]) {
  Vec half[2][4];  // column, row
  each<2>([&](auto j) { grad_line(at(Count<0>{}, j), at(Count<1>{}, j), half[j]); });
  each<4>([&](auto i) { grad_line(half[0][i], half[1][i], to[i]); });
}

/// transform(at, values) of two tiles' patches of kSize x kSize pixels that begin `margin` before a tile, side by side.
/// Behind the last tile there are zeros.
template <int kSize, class X, class Transform>
void transform_pairs(const TiledInput& in, const X* x, int64_t margin, const TilePairs& tiles, int64_t begin,
                     int64_t end, BFloat16* to, const Transform& transform) {
  const TiledImages& g = in.images;
  const int64_t pairs = (tiles.tiles + 1) / 2;
  TileAt t = tile_at(g, tiles.first + 2 * begin), later = tile_at(g, tiles.first + 2 * begin + kAhead);
  for (int64_t pair = begin; pair < end; ++pair) {
    const TileAt first = t;
    for (int k = 0; k < 2; ++k, step(g, later)) prefetch(in, x, later, margin);
    step(g, t);
    TileAt second = t;
    step(g, t);
    if (2 * pair + 1 == tiles.tiles) second.row = g.h + margin;  // all of it outside
    with_patch<kSize>(in, x, first, margin, [&](const auto& one) {
      with_patch<kSize>(in, x, second, margin, [&](const auto& two) {
        for (int64_t c = 0; c < g.channels; c += kWidth) {
          const Place place = place_of(g.channels, pairs, c);
          BFloat16* const at = to + place.first + pair * place.pair;
          Vec a[4][4], b[4][4];
          transform([&](auto i, auto j) { return values_at(one(i, j) + c); }, a);
          transform([&](auto i, auto j) { return values_at(two(i, j) + c); }, b);
          each<4>([&](auto i) {
            each<4>([&](auto j) {
              const Pairs both = zipped(a[i][j], b[i][j]);
              __builtin_memcpy(at + (i * 4 + j) * place.product, &both, sizeof both);
            });
          });
        }
      });
    });
  }
}

void winograd_pairs(const TiledInput& input, const TilePairs& tiles, int64_t begin, int64_t end, BFloat16* v) {
  with_type(input.x, [&](const auto* x) {
    transform_pairs<4>(input, x, 1, tiles, begin, end, v,
                       [](const auto& at, Vec(&to)[4][4]) { input_transform(at, to); });
  });
}
void winograd_grad_pairs(const TiledInput& dy, const TilePairs& tiles, int64_t begin, int64_t end, BFloat16* d) {
  transform_pairs<2>(dy, static_cast<const BFloat16*>(dy.x.data), 0, tiles, begin, end, d,
                     [](const auto& at, Vec(&to)[4][4]) { grad_transform(at, to); });
}

/// G^T u for the G of the filters.
[[gnu::always_inline]] inline void filter_grad_line(const Vec& u0, const Vec& u1, const Vec& u2, const Vec& u3,
                                                    Vec* to) {
  const Vec half = splat(0.5f), ends = (u1 + u2) * half;
  to[0] = u0 + ends;
  to[1] = (u1 - u2) * half;
  to[2] = ends - u3;
}

/// One of the 16 products of M output channels by V vectors of input channels, over pairs d_step and v_step apart, to
/// rows kPanel apart.
template <int M, int V>
void outer(const BFloat16* d, int64_t d_step, const BFloat16* v, int64_t v_step, int64_t pairs, float* to) {
  Tile<M, V> tile;
  tile.clear();
  for (int64_t i = 0; i < pairs; ++i, d += d_step, v += v_step) tile.add([=](int m) { return d + 2 * m; }, v);
  tile.store_rows(to);
}

/// Output channels that share a product's v while it is in the first-level cache: a block, in even tiles, since it
/// takes ten rows and more to hide the latency of the sums.
struct Products {
  alignas(64) float of[16][kPairBlock][kPanel];
};
/// dw += G^T products G, a vector of input channels of one output channel.
void add_back(const Products& products, int row, int at, int64_t in_c, float* dw) {
  const auto product = [&](int i, int j) { return load(products.of[i * 4 + j][row] + at); };
  Vec half[4][3], g[3][3];  // column, row
  each<4>([&](auto j) { filter_grad_line(product(0, j), product(1, j), product(2, j), product(3, j), half[j]); });
  each<3>([&](auto i) { filter_grad_line(half[0][i], half[1][i], half[2][i], half[3][i], g[i]); });
  each<9>([&](auto tap) {
    float* const to = dw + tap * in_c;
    store(to, load(to) + g[tap / 3][tap % 3]);
  });
}

template <int V>
void multiply_block(const PairProduct& p, int64_t o, int64_t rows, int64_t c, Products& products) {
  const Place d = place_of(p.out_c, p.pairs, o), v = place_of(p.in_c, p.pairs, c);
  const int64_t tiles = (rows + kTile - 1) / kTile;
  for (int k = 0; k < 16; ++k) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t m = rows * tile / tiles, count = rows * (tile + 1) / tiles - m;
      with_rows(count, [&](auto height) {
        outer<height.value, V>(p.d + d.first + k * d.product + 2 * m, d.pair, p.v + v.first + k * v.product, v.pair,
                               p.pairs, products.of[k][m]);
      });
    }
  }
}

void winograd_outer(const PairProduct& p, int64_t begin, int64_t end, float* dw) {
  Products products;
  for (int64_t c = 0; c < p.in_c; c += kPanel) {
    const int vectors = p.in_c - c > kWidth ? 2 : 1;
    for (int64_t o = begin * kPairBlock; o < end * kPairBlock && o < p.out_c; o += kPairBlock) {
      const int64_t rows = p.out_c - o < kPairBlock ? p.out_c - o : kPairBlock;
      vectors == 2 ? multiply_block<2>(p, o, rows, c, products) : multiply_block<1>(p, o, rows, c, products);
      for (int m = 0; m < rows; ++m) {
        for (int k = 0; k < vectors; ++k)
          add_back(products, m, k * kWidth, p.in_c, dw + (o + m) * 9 * p.in_c + c + k * kWidth);
      }
    }
  }
}

}  // namespace

void fill_winograd_grad(Kernels& t) {
  t.winograd_pairs = winograd_pairs;
  t.winograd_grad_pairs = winograd_grad_pairs;
  t.winograd_outer = winograd_outer;
}

}  // namespace ntq::bf16::NTQ_ISA
