#include "engine/backend/cpu/winograd.h"

#include <algorithm>

#include "engine/backend/cpu/parallel.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kTransformed = 36;        // values of a transformed 6x6 tile
constexpr int64_t kCacheFloats = 96 << 10;  // of both operands of a block: 384 KB, most of an L2 cache

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Tiles that one thread takes through all phases while they stay in its cache.
int64_t block_tiles(int64_t in, int64_t out) {
  return std::max<int64_t>(24, kCacheFloats / (kTransformed * (in + out)) / 12 * 12);
}

/// Tiles of a pass when the threads share each phase instead: few tiles, many channels.
constexpr int64_t kPassTiles = 256;

}  // namespace

bool wants_winograd(const Kernels& k, const ConvGeometry& g) {
  if (g.kernel_h != 3 || g.kernel_w != 3 || g.stride != 1 || g.pad != 1) return false;
  if (g.in_c % k.width || g.out_c % k.width || g.in_c < 16 || g.out_c < 16) return false;
  const int64_t covered = ceil_div(g.in_h, 4) * ceil_div(g.in_w, 4) * 16;
  return 2 * covered <= 3 * g.in_h * g.in_w;
}

void winograd_conv(Backend& backend, const Kernels& k, const ConvGeometry& g, bool turned, const float* x,
                   const float* w, float* y) {
  const int64_t in = turned ? g.out_c : g.in_c, out = turned ? g.in_c : g.out_c;
  const WinogradImages source{g.in_h, g.in_w, in}, target{g.in_h, g.in_w, out};
  const int64_t tiles = g.batch * source.tiles(), panels = ceil_div(out, k.panel);
  const int64_t matrix = panels * in * k.panel;
  Scratch u(backend, kTransformed * matrix);
  parallel_for(panels, [&](int64_t panel) { k.winograd_filter(w, in, out, turned, panel, u.data()); });

  const int64_t block = block_tiles(in, out);
  if (ceil_div(tiles, block) >= 16) {
    parallel_for(ceil_div(tiles, block), [&](int64_t i) {
      const int64_t begin = i * block, count = std::min(tiles - begin, block);
      Scratch v(backend, kTransformed * block * in), m(backend, kTransformed * block * out);
      k.winograd_input(source, x, begin, begin + count, v.data(), block);
      for (int64_t j = 0; j < kTransformed; ++j)
        k.winograd_product(v.data() + j * block * in, u.data() + j * matrix, count, in, out, 0, panels,
                           m.data() + j * block * out);
      k.winograd_output(target, m.data(), block, begin, begin + count, y);
    });
    return;
  }
  const int64_t pass = std::min(tiles, kPassTiles);
  Scratch v(backend, kTransformed * pass * in), m(backend, kTransformed * pass * out);
  for (int64_t first = 0; first < tiles; first += pass) {
    const int64_t count = std::min(tiles - first, pass);
    parallel_ranges(count, 8, [&](int64_t b, int64_t e) {
      k.winograd_input(source, x, first + b, first + e, v.data() + b * in, pass);
    });
    parallel_for(kTransformed, [&](int64_t j) {
      k.winograd_product(v.data() + j * pass * in, u.data() + j * matrix, count, in, out, 0, panels,
                         m.data() + j * pass * out);
    });
    parallel_ranges(count, 8, [&](int64_t b, int64_t e) {
      k.winograd_output(target, m.data() + b * out, pass, first + b, first + e, y);
    });
  }
}

void winograd_grad_weight(Backend& backend, const Kernels& k, const ConvGeometry& g, const float* dy, const float* x,
                          float* dw) {
  const int64_t in = g.in_c, out = g.out_c, size = kTransformed * out * in;
  const WinogradImages source{g.in_h, g.in_w, in}, target{g.in_h, g.in_w, out};
  const int64_t tiles = g.batch * source.tiles(), block = block_tiles(in, out);
  // Parts with sums of their own, by the sizes alone, so that the result is the same for any number of threads.
  int64_t parts = std::min({int64_t{16}, (int64_t{8} << 20) / size, ceil_div(tiles, 2 * block)});
  if (parts < 8) parts = 1;
  Scratch sums(backend, parts * size);
  backend.fill(0.0f, sums.view());
  if (parts > 1) {
    parallel_for(parts, [&](int64_t part) {
      Scratch v(backend, kTransformed * block * in), d(backend, kTransformed * block * out);
      const int64_t end = tiles * (part + 1) / parts;
      for (int64_t begin = tiles * part / parts; begin < end; begin += block) {
        const int64_t count = std::min(end - begin, block);
        k.winograd_input(source, x, begin, begin + count, v.data(), block);
        k.winograd_grad(target, dy, begin, begin + count, d.data(), block);
        for (int64_t j = 0; j < kTransformed; ++j)
          k.winograd_outer(d.data() + j * block * out, v.data() + j * block * in, count, in, out, 0, out,
                           sums.data() + part * size + j * out * in);
      }
    });
  } else {
    const int64_t pass = std::min(tiles, kPassTiles);
    Scratch v(backend, kTransformed * pass * in), d(backend, kTransformed * pass * out);
    for (int64_t first = 0; first < tiles; first += pass) {
      const int64_t count = std::min(tiles - first, pass);
      parallel_ranges(count, 8, [&](int64_t b, int64_t e) {
        k.winograd_input(source, x, first + b, first + e, v.data() + b * in, pass);
        k.winograd_grad(target, dy, first + b, first + e, d.data() + b * out, pass);
      });
      parallel_for(kTransformed, [&](int64_t j) {
        k.winograd_outer(d.data() + j * pass * out, v.data() + j * pass * in, count, in, out, 0, out,
                         sums.data() + j * out * in);
      });
    }
  }
  for (int64_t part = 1; part < parts; ++part)
    backend.axpy(1.0f, sums.view().part(part * size, size), sums.view().part(0, size));
  parallel_for(out, [&](int64_t o) { k.winograd_filter_grad(sums.data(), in, out, o, dw); });
}

}  // namespace ntq::cpu
