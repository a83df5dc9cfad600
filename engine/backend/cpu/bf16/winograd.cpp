#include "engine/backend/cpu/bf16/winograd.h"

#include <algorithm>

#include "base/ceil_div.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq::bf16 {
namespace {

constexpr int64_t kProductsOfTile = 16;
constexpr int64_t kNumbersInCache = 32 << 10;  // of v that a thread multiplies at once: 64 KiB
constexpr int64_t kNumbersShared = 2 << 20;    // of v that all threads do
constexpr int64_t kManyBlocks = 16;            // enough for the threads
constexpr int64_t kGradTiles = 256;            // that a filter gradient sums up in one go, about
constexpr int64_t kMostSums = 4 << 20;         // of all its parts

struct Numbers : Scratch {
  Numbers(Backend& backend, int64_t size) : Scratch(backend, size, DType::bf16) {}
  BFloat16* data() const { return static_cast<BFloat16*>(view().data); }
};

/// What pixels outside of the images read.
struct Outside : Scratch {
  Outside(Backend& backend, int64_t channels, DType type) : Scratch(backend, channels, type) {
    backend.zero(view().data, static_cast<size_t>(channels) * dtype_size(type));
  }
};

TiledImages images_of(const ConvGeometry& g, int64_t channels) { return {g.batch, g.in_h, g.in_w, channels}; }
int64_t tiles_of(const ConvGeometry& g) { return g.batch * ceil_div(g.in_h, 2) * ceil_div(g.in_w, 2); }

/// Parts of a filter gradient have sums of their own: a power of two of them, by sizes alone, each of which one thread
/// takes; one part, whose steps all threads share, where there are few tiles or many filters.
int64_t grad_parts(const ConvGeometry& g) {
  const int64_t most = std::min(kMostSums / (9 * g.out_c * g.in_c), ceil_div(tiles_of(g), kGradTiles));
  return most >= 16 ? 16 : most >= 8 ? 8 : 1;
}

}  // namespace

bool suits_winograd(const ConvGeometry& g) {
  if (g.kernel_h != 3 || g.kernel_w != 3 || g.stride != 1 || g.pad != 1 || g.groups != 1) return false;
  if (g.in_c % kChannelBlock || g.out_c % kChannelBlock || g.in_c == 0 || g.out_c == 0) return false;
  const int64_t covered = ceil_div(g.in_h, 2) * ceil_div(g.in_w, 2) * 4;
  return 2 * covered <= 3 * g.in_h * g.in_w;
}

void winograd_conv(Backend& backend, const Kernels& k, const ConvGeometry& g, ConvPass which, ConstView x,
                   const BFloat16* packed, View y) {
  const bool turned = which == ConvPass::grad_input;
  const int64_t in = turned ? g.out_c : g.in_c, out = turned ? g.in_c : g.out_c;
  const int64_t group = k.winograd_group, panels = ceil_div(out, k.winograd_panel), of_tile = kProductsOfTile * in;
  const Outside zeros(backend, in, x.type);
  const TiledInput input{images_of(g, in), x, zeros.view().data};
  const auto product_of = [&](const BFloat16* v) { return WinogradProduct{v, packed, in, images_of(g, out), y}; };
  const int64_t tiles = tiles_of(g), block = group * std::max<int64_t>(1, kNumbersInCache / (group * of_tile));
  // Each thread takes blocks of its own; not where a block is so small that the filters would come from memory for it.
  if (ceil_div(tiles, block) >= kManyBlocks && group * of_tile <= kNumbersInCache) {
    return cpu::parallel_for(ceil_div(tiles, block), [&](int64_t i) {
      const Numbers v(backend, block * of_tile);
      const int64_t begin = i * block, end = std::min(tiles, begin + block);
      k.winograd_input(input, begin, end, v.data());
      k.winograd_product(product_of(v.data()), begin, end, 0, panels);
    });
  }
  // Else all threads transform tiles, then share the filters.
  const int64_t pass =
      group * std::max<int64_t>(1, std::min(kNumbersShared / (group * of_tile), ceil_div(tiles, group)));
  const Numbers v(backend, pass * of_tile);
  for (int64_t first = 0; first < tiles; first += pass) {
    const int64_t groups = ceil_div(std::min(pass, tiles - first), group);
    const auto range = [&](int64_t begin, int64_t end, const auto& op) {
      op(first + begin * group, std::min(tiles, first + end * group), v.data() + begin * group * of_tile);
    };
    cpu::parallel_ranges(groups, 1, group * of_tile, [&](int64_t begin, int64_t end) {
      range(begin, end, [&](int64_t b, int64_t e, BFloat16* to) { k.winograd_input(input, b, e, to); });
    });
    const int64_t cuts = std::min(groups, ceil_div(kManyBlocks, panels));
    cpu::parallel_for(panels * cuts, [&](int64_t i) {
      const int64_t panel = i / cuts, cut = i % cuts;
      range(groups * cut / cuts, groups * (cut + 1) / cuts, [&](int64_t b, int64_t e, const BFloat16* from) {
        k.winograd_product(product_of(from), b, e, panel, panel + 1);
      });
    });
  }
}

void winograd_grad_weight(Backend& backend, const Kernels& k, const ConvGeometry& g, ConstView dy, ConstView x,
                          View dw) {
  const int64_t tiles = tiles_of(g), parts = grad_parts(g), blocks = ceil_div(g.out_c, kPairBlock);
  const Outside no_x(backend, g.in_c, x.type), no_dy(backend, g.out_c, dy.type);
  const TiledInput source{images_of(g, g.in_c), x, no_x.view().data};
  const TiledInput grads{images_of(g, g.out_c), dy, no_dy.view().data};
  const Scratch others(backend, (parts - 1) * dw.size);
  backend.fill(0.0f, dw);
  backend.fill(0.0f, others.view());
  cpu::parallel_for(parts, [&](int64_t part) {
    float* const sums = part == 0 ? static_cast<float*>(dw.data) : others.data() + (part - 1) * dw.size;
    const auto share = [parts](int64_t n, int64_t grain, const auto& range) {
      if (parts == 1) return cpu::parallel_ranges(n, grain, range);
      range(0, n);
    };
    const int64_t begin = tiles * part / parts, end = tiles * (part + 1) / parts;
    // Even passes: each of them reads and writes all filters.
    const int64_t passes = std::max<int64_t>(1, (end - begin + kGradTiles / 2) / kGradTiles);
    const int64_t pairs = ceil_div(ceil_div(end - begin, passes), 2), stride = pair_stride(pairs);
    const Numbers v(backend, kProductsOfTile * stride * 2 * g.in_c), d(backend, kProductsOfTile * stride * 2 * g.out_c);
    for (int64_t first = begin; first < end; first += 2 * pairs) {
      const TilePairs range{first, std::min(2 * pairs, end - first)};
      const int64_t count = ceil_div(range.tiles, 2);
      share(count, 8, [&](int64_t b, int64_t e) {
        k.winograd_pairs(source, range, b, e, v.data());
        k.winograd_grad_pairs(grads, range, b, e, d.data());
      });
      share(blocks, 1, [&](int64_t b, int64_t e) {
        k.winograd_outer({d.data(), v.data(), count, g.in_c, g.out_c}, b, e, sums);
      });
    }
  });
  for (int64_t part = 1; part < parts; ++part)
    backend.axpy(1.0f, others.view().part((part - 1) * dw.size, dw.size), dw);
}

}  // namespace ntq::bf16
