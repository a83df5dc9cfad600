#include "engine/backend/cpu/conv_plan.h"

#include <algorithm>

#include "base/ceil_div.h"
#include "base/check.h"
#include "engine/backend/cpu/winograd.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kCacheFloats = 96 << 10;  // of both operands of a block of tiles: 384 KB, most of an L2 cache
constexpr int64_t kPassTiles = 256;         // when the threads share each phase
constexpr int64_t kWholeVectors = 16;       // channels of a vector on every instruction set so far

/// 3x3, stride 1, padding 1, whole vectors of channels, and tiles that the images fill well.
bool suits_winograd(const ConvGeometry& g, int width) {
  if (g.kernel_h != 3 || g.kernel_w != 3 || g.stride != 1 || g.pad != 1) return false;
  const int64_t channels = std::max<int64_t>(kWholeVectors, width);
  if (g.in_c % channels || g.out_c % channels || g.in_c == 0 || g.out_c == 0) return false;
  const int64_t covered = ceil_div(g.in_h, 4) * ceil_div(g.in_w, 4) * 16;
  return 2 * covered <= 3 * g.in_h * g.in_w;
}

TileSchedule schedule_of(const ConvGeometry& g, ConvPass pass) {
  const int64_t tiles = g.batch * ceil_div(g.in_h, 4) * ceil_div(g.in_w, 4);
  // What one thread takes through all phases.
  const int64_t block = std::max<int64_t>(24, kCacheFloats / (kTransformed * (g.in_c + g.out_c)) / 12 * 12);
  const TileSchedule shared{1, std::clamp<int64_t>(tiles, 1, kPassTiles)};
  if (pass != ConvPass::grad_weight) {
    const int64_t blocks = ceil_div(tiles, block);
    return blocks >= 16 ? TileSchedule{blocks, block} : shared;
  }
  const int64_t sums = kTransformed * g.out_c * g.in_c;
  const int64_t parts = std::min({int64_t{16}, (int64_t{8} << 20) / sums, ceil_div(tiles, 2 * block)});
  return parts >= 8 ? TileSchedule{parts, block} : shared;
}

/// One line of pixels that a 1x1 filter passes over.
ConvGeometry line(const ConvGeometry& g, int64_t in_c) {
  ConvGeometry flat;
  flat.in_w = flat.out_w = g.batch * g.out_h * g.out_w;
  flat.in_c = in_c;
  flat.out_c = g.out_c;
  return flat;
}

}  // namespace

ConvPlan plan_conv(const ConvGeometry& g, ConvPass pass, ConvTypes types, int width) {
  check(types.x == DType::f32 && types.w == DType::f32, "convolution: the cpu has kernels for F32 only, found ",
        dtype_name(types.x), " and ", dtype_name(types.w));
  check(g.groups == 1, "convolution: the cpu has no kernels for groups, found ", g.groups);
  if (suits_winograd(g, width)) return {ConvAlgorithm::winograd, g, 1, 1, schedule_of(g, pass)};

  ConvPlan plan{ConvAlgorithm::product, g, 1, 1, {}};
  const int64_t taps = g.kernel_h * g.kernel_w;
  if (pass != ConvPass::grad_input && g.in_c < 8 && taps > 1) {
    // One row of all taps per pixel, so that the inner loop is long enough.
    plan.algorithm = ConvAlgorithm::unfolded;
    plan.g = line(g, taps * g.in_c);
  } else if (taps == 1 && g.stride == 1 && g.pad == 0) {
    plan.g = line(g, g.in_c);  // a plain matrix product: longer runs
  }
  if (pass == ConvPass::grad_weight) {
    const int64_t rows = g.batch * g.out_h * g.out_w, filters = std::max<int64_t>(1, g.out_c * taps * g.in_c);
    plan.parts = std::clamp<int64_t>((int64_t{4} << 20) / filters, 1, std::clamp<int64_t>(rows / 512, 1, 32));
    plan.channel_groups = std::clamp<int64_t>(32 / plan.parts, 1, std::max<int64_t>(1, g.out_c / 32));
  }
  return plan;
}

}  // namespace ntq::cpu
