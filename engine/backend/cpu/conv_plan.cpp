#include "engine/backend/cpu/conv_plan.h"

#include <algorithm>

#include "base/ceil_div.h"
#include "base/check.h"
#include "base/integer/pack.h"
#include "engine/backend/cpu/bf16/winograd.h"
#include "engine/backend/cpu/winograd.h"

namespace ntq::cpu {
namespace {

constexpr int64_t kCacheFloats = 96 << 10;  // of both operands of a block of tiles: 384 KB, most of an L2 cache
constexpr int64_t kPassTiles = 256;         // when the threads share each phase
// Of a filter gradient in bfloat16:
constexpr int64_t kTasks = 16;                                                    // enough for the threads
constexpr int64_t kTaskChannels = 256, kTaskInputs = 256, kTaskSums = 128 << 10;  // 512 KB
constexpr int64_t kPartRows = 512;
constexpr int64_t kWholeVectors = 16;  // channels of a vector on every instruction set so far

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

bool is_code(DType type) { return type == DType::u8 || type == DType::i8; }

/// Whether products are of bfloat16, not of float32. Throws for types that have neither.
bool in_bf16(ConvPass pass, ConvTypes types) {
  constexpr DType f32 = DType::f32, bf16 = DType::bf16;
  const auto [x, w, y] = types;
  const bool codes = is_code(x) && pass != ConvPass::grad_input;
  if (w == f32 && y == f32 && (x == f32 || codes)) return false;
  if (w == f32 && y == bf16 && (x == bf16 || codes)) return true;
  // What is written may be of either type.
  if (w == f32 && pass == ConvPass::forward && x == bf16 && y == f32) return true;
  if (w == f32 && pass == ConvPass::grad_input && y == bf16 && x == f32) return true;
  check(false, "convolution: the cpu has kernels for F32 and BF16, and for U8 and I8 codes of the input, with F32 ",
        "filters; found input ", dtype_name(x), ", filters ", dtype_name(w), ", output ", dtype_name(y));
  return false;
}

bool few_channels(const ConvGeometry& g) { return g.in_c < 8 && g.kernel_h * g.kernel_w > 1; }
bool is_point(const ConvGeometry& g) { return g.kernel_h * g.kernel_w == 1 && g.stride == 1 && g.pad == 0; }

ConvPlan plan_bf16(const ConvGeometry& g, ConvPass pass) {
  if (bf16::suits_winograd(g)) return {ConvAlgorithm::bf16_winograd, g, 1, 1, {}, 1};
  ConvPlan plan{ConvAlgorithm::bf16_product, is_point(g) ? line(g, g.in_c) : g, 1, 1, {}, 1};
  if (few_channels(g)) plan.algorithm = ConvAlgorithm::bf16_unfolded;
  if (pass == ConvPass::grad_weight) {
    const int64_t rows = g.batch * g.out_h * g.out_w, inputs = std::max<int64_t>(1, g.kernel_h * g.kernel_w * g.in_c);
    // Of enough tasks the tallest: parts are added up in memory. The sums of a task stay in its L2 cache.
    plan.channel_groups = ceil_div(std::max<int64_t>(1, g.out_c), kTaskChannels);
    const int64_t sums = ceil_div(g.out_c * inputs, plan.channel_groups);
    plan.tap_groups = std::clamp<int64_t>(inputs / kTaskInputs, 1, ceil_div(kTasks, plan.channel_groups));
    plan.tap_groups = std::max(plan.tap_groups, std::min(ceil_div(sums, kTaskSums), ceil_div(inputs, 64)));
    if (few_channels(g)) plan.channel_groups = plan.tap_groups = 1;
    const int64_t parts = ceil_div(kTasks, plan.channel_groups * plan.tap_groups);
    plan.parts = std::clamp<int64_t>(rows / kPartRows, 1, parts);
  }
  return plan;
}

}  // namespace

bool has_conv(ConvPass pass, DType type) {
  return type == DType::f32 || type == DType::bf16 || (is_code(type) && pass != ConvPass::grad_input);
}

ConvPlan plan_conv(const ConvGeometry& g, ConvPass pass, ConvTypes types, int width) {
  const bool bf16 = in_bf16(pass, types);
  check(g.groups == 1, "convolution: the cpu has no kernels for groups, found ", g.groups);
  if (bf16) return plan_bf16(g, pass);
  if (suits_winograd(g, width)) return {ConvAlgorithm::winograd, g, 1, 1, schedule_of(g, pass)};

  ConvPlan plan{ConvAlgorithm::product, g, 1, 1, {}};
  const int64_t taps = g.kernel_h * g.kernel_w;
  // Lines are copied with their padding.
  if (few_channels(g) && (pass == ConvPass::grad_input || g.pad < std::max(g.kernel_h, g.kernel_w))) {
    plan.algorithm = ConvAlgorithm::few_channels;
    if (pass == ConvPass::grad_weight) plan.g = line(g, taps * g.in_c);
  } else if (is_point(g)) {
    plan.g = line(g, g.in_c);  // a plain matrix product: longer runs
  }
  if (pass == ConvPass::grad_weight) {
    const int64_t rows = g.batch * g.out_h * g.out_w, filters = std::max<int64_t>(1, g.out_c * taps * g.in_c);
    plan.parts = std::clamp<int64_t>((int64_t{4} << 20) / filters, 1, std::clamp<int64_t>(rows / 512, 1, 32));
    plan.channel_groups = std::clamp<int64_t>(32 / plan.parts, 1, std::max<int64_t>(1, g.out_c / 32));
  }
  return plan;
}

integer::ConvShape shape_of(const ConvGeometry& g) {
  return {g.in_h, g.in_w, g.in_c, g.out_h, g.out_w, g.out_c, g.kernel_h, g.kernel_w, g.stride, g.pad};
}

// Signed inputs would need a byte's offset taken back; channels that are no whole quads, a copy.
std::optional<ConvAlgorithm> plan_codes(const ConvGeometry& g, const CodeConv& codes) {
  const integer::CodeBounds bounds{.x_top = codes.x_top, .w_top = codes.w_top};
  const integer::ConvShape shape = shape_of(g);
  if (codes.x.type != DType::u8 || g.groups != 1 || g.macs() == 0) return std::nullopt;
  if (g.in_c % integer::kQuad || g.out_c % integer::kQuad || !integer::sums_fit(shape, bounds)) return std::nullopt;
  const bool winograd = integer::uses_winograd(shape, bounds);
  return winograd && !integer::prefers_direct(shape, g.batch * g.out_h * g.out_w) ? ConvAlgorithm::code_winograd
                                                                                  : ConvAlgorithm::code_product;
}

}  // namespace ntq::cpu
