// How convolutions are computed: a table of sizes and plans.
#include "engine/backend/cpu/conv_plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "base/ceil_div.h"
#include "tests/engine/backend_list/conv.h"

using namespace ntq;
using namespace ntq::test;
using cpu::ConvAlgorithm;

namespace {

struct Row {
  std::string layer;
  ConvGeometry g;
  ConvAlgorithm forward, grad_input, grad_weight;
  int64_t forward_tasks, grad_tasks;  // Winograd's parts; parts and groups of a filter gradient by product
};

const std::vector<Row>& rows() {
  using enum ConvAlgorithm;
  static const std::vector<Row> list = {
      {"stem of a CIFAR network", conv_geometry(128, 32, 3, 16, 3, 1, 1), few_channels, few_channels, few_channels, 1,
       32},
      {"16 channels", conv_geometry(128, 32, 16, 16, 3, 1, 1), winograd, winograd, winograd, 110, 16},
      {"64 channels", conv_geometry(128, 8, 64, 64, 3, 1, 1), winograd, winograd, winograd, 32, 16},
      {"512 channels: all threads share a phase", conv_geometry(8, 15, 512, 512, 3, 1, 1), winograd, winograd, winograd,
       1, 1},
      {"few images: shared too", conv_geometry(2, 8, 64, 64, 3, 1, 1), winograd, winograd, winograd, 1, 1},
      {"stride 2", conv_geometry(128, 32, 16, 32, 3, 2, 1), product, product, product, 1, 32},
      {"large filters: groups of channels instead of parts", conv_geometry(128, 8, 256, 512, 3, 2, 1), product, product,
       product, 1, 3 * 10},
      {"24 channels are no whole vector everywhere", conv_geometry(8, 8, 24, 24, 3, 1, 1), product, product, product, 1,
       1},
      {"8 channels", conv_geometry(8, 8, 8, 16, 3, 1, 1), product, product, product, 1, 1},
      {"images that fill tiles badly", conv_geometry(8, 5, 16, 16, 3, 1, 1), product, product, product, 1, 1},
      {"no padding", conv_geometry(8, 8, 16, 16, 3, 1, 0), product, product, product, 1, 1},
      {"1x1", conv_geometry(8, 8, 32, 64, 1, 1, 0), product, product, product, 1, 2},
      {"nothing", conv_geometry(0, 8, 0, 0, 3, 1, 1), few_channels, few_channels, few_channels, 1, 1},
  };
  return list;
}

}  // namespace

TEST_CASE("a convolution's plan follows from its sizes, the same on every instruction set") {
  for (const Row& row : rows()) {
    CAPTURE(row.layer);
    for (const int width : {4, 8, 16}) {
      const auto plan = [&](ConvPass pass) { return cpu::plan_conv(row.g, pass, {}, width); };
      CHECK(plan(ConvPass::forward).algorithm == row.forward);
      CHECK(plan(ConvPass::forward).tiles.parts == row.forward_tasks);
      CHECK(plan(ConvPass::grad_input).algorithm == row.grad_input);
      CHECK(plan(ConvPass::grad_input).tiles.parts ==
            (row.grad_input == ConvAlgorithm::winograd ? row.forward_tasks : 1));
      const cpu::ConvPlan grad = plan(ConvPass::grad_weight);
      CHECK(grad.algorithm == row.grad_weight);
      CHECK(grad.parts * grad.channel_groups * grad.tiles.parts == row.grad_tasks);
    }
  }
}

TEST_CASE("a plan's product: patches as one line, 1x1 filters as one line, else the images themselves") {
  const ConvGeometry stem = conv_geometry(2, 8, 3, 16, 3, 1, 1), point = conv_geometry(2, 8, 32, 64, 1, 1, 0);
  const cpu::ConvPlan patches = cpu::plan_conv(stem, ConvPass::grad_weight, {}, 8);
  CHECK(patches.g.in_c == 27);
  CHECK(patches.g.in_w == 2 * 8 * 9);
  CHECK(patches.g.macs() == stem.macs());
  const cpu::ConvPlan line = cpu::plan_conv(point, ConvPass::grad_input, {}, 8);
  CHECK(line.g.in_h == 1);
  CHECK(line.g.macs() == point.macs());
  for (const ConvPass pass : {ConvPass::forward, ConvPass::grad_input})
    CHECK(cpu::plan_conv(stem, pass, {}, 8).g.in_h == 8);
}

TEST_CASE("types say whether products are of float32 or of bfloat16") {
  using enum DType;
  const ConvGeometry g = conv_geometry(8, 8, 16, 16, 3, 1, 1);
  const auto taken = [&](ConvPass pass, DType x, DType y) {
    return cpu::plan_conv(g, pass, {x, f32, y}, 16).algorithm == ConvAlgorithm::winograd ? "f32" : "bf16";
  };
  for (const ConvPass pass : {ConvPass::forward, ConvPass::grad_input, ConvPass::grad_weight}) {
    CHECK(taken(pass, f32, f32) == "f32");
    CHECK(taken(pass, bf16, bf16) == "bf16");
    if (pass == ConvPass::grad_input) continue;
    for (const DType codes : {u8, i8}) {
      CHECK(taken(pass, codes, f32) == "f32");
      CHECK(taken(pass, codes, bf16) == "bf16");
    }
  }
  CHECK(taken(ConvPass::forward, bf16, f32) == "bf16");
  CHECK(taken(ConvPass::grad_input, f32, bf16) == "bf16");
  const auto refused = [&](ConvPass pass, DType x, DType w, DType y) {
    CHECK_THROWS_WITH_AS(
        cpu::plan_conv(g, pass, {x, w, y}, 16),
        doctest::Contains(
            concat("found input ", dtype_name(x), ", filters ", dtype_name(w), ", output ", dtype_name(y)).c_str()),
        std::invalid_argument);
    if (pass != ConvPass::grad_weight && w == f32) {
      // What the pass reads first is there, what it should write is not: supports() cannot say so.
      CHECK(cpu::has_conv(pass, pass == ConvPass::forward ? x : y));
    }
  };
  refused(ConvPass::forward, f32, f32, bf16);
  refused(ConvPass::grad_input, bf16, f32, f32);
  refused(ConvPass::grad_input, u8, f32, bf16);
  refused(ConvPass::grad_weight, bf16, f32, f32);
  refused(ConvPass::grad_weight, f32, f32, bf16);
  refused(ConvPass::forward, bf16, bf16, bf16);
  CHECK(!cpu::has_conv(ConvPass::grad_input, u8));
  CHECK(!cpu::has_conv(ConvPass::forward, f64));
}

TEST_CASE(
    "plans in bfloat16: few channels as one run, 1x1 as one line, filter gradients in pieces that fit the cache") {
  const cpu::ConvTypes types{DType::bf16, DType::f32, DType::bf16};
  const auto plan = [&](const ConvGeometry& g, ConvPass pass) { return cpu::plan_conv(g, pass, types, 4); };
  const ConvGeometry stem = conv_geometry(16, 224, 3, 64, 7, 2, 3);
  CHECK(plan(stem, ConvPass::forward).algorithm == ConvAlgorithm::bf16_unfolded);
  CHECK(plan(stem, ConvPass::forward).g.in_c == 3);
  CHECK(plan(stem, ConvPass::grad_input).algorithm == ConvAlgorithm::bf16_unfolded);
  CHECK(plan(conv_geometry(16, 56, 64, 256, 1, 1, 0), ConvPass::forward).g.in_h == 1);
  for (const ConvPass pass : {ConvPass::forward, ConvPass::grad_input, ConvPass::grad_weight}) {
    const auto way = [&](const ConvGeometry& g) { return plan(g, pass).algorithm; };
    CHECK(way(conv_geometry(128, 32, 16, 16, 3, 1, 1)) == ConvAlgorithm::bf16_winograd);
    CHECK(way(conv_geometry(16, 7, 512, 512, 3, 1, 1)) == ConvAlgorithm::bf16_winograd);
    CHECK(way(conv_geometry(16, 8, 48, 80, 3, 1, 1)) == ConvAlgorithm::bf16_winograd);
    CHECK(way(conv_geometry(16, 8, 24, 32, 3, 1, 1)) == ConvAlgorithm::bf16_product);
    CHECK(way(conv_geometry(16, 1, 64, 64, 3, 1, 1)) == ConvAlgorithm::bf16_product);  // tiles half outside
    CHECK(way(conv_geometry(16, 8, 64, 64, 3, 2, 1)) == ConvAlgorithm::bf16_product);
    CHECK(way(conv_geometry(16, 8, 64, 64, 3, 1, 0)) == ConvAlgorithm::bf16_product);
  }
  struct Row {
    ConvGeometry g;
    int64_t parts, channel_groups, tap_groups;
  };
  for (const Row& row :
       {Row{stem, 16, 1, 1}, Row{conv_geometry(16, 56, 64, 256, 1, 1, 0), 16, 1, 1},
        Row{conv_geometry(16, 14, 1024, 256, 1, 1, 0), 4, 1, 4}, Row{conv_geometry(128, 8, 256, 512, 3, 2, 1), 1, 2, 8},
        Row{conv_geometry(16, 7, 512, 2048, 1, 1, 0), 1, 8, 2}, Row{conv_geometry(16, 14, 512, 512, 3, 2, 1), 1, 2, 9},
        Row{conv_geometry(2, 16, 16, 32, 1, 1, 0), 1, 1, 1}, Row{conv_geometry(0, 8, 0, 0, 3, 1, 1), 1, 1, 1}}) {
    const cpu::ConvPlan found = plan(row.g, ConvPass::grad_weight);
    CAPTURE(sizes_of(row.g));
    CHECK(found.parts == row.parts);
    CHECK(found.channel_groups == row.channel_groups);
    CHECK(found.tap_groups == row.tap_groups);
  }
}

TEST_CASE("whole vectors, types and groups that kernels lack") {
  const ConvGeometry g = conv_geometry(8, 8, 16, 16, 3, 1, 1);
  CHECK(cpu::plan_conv(g, ConvPass::forward, {}, 32).algorithm == ConvAlgorithm::product);
  CHECK_THROWS_WITH_AS(cpu::plan_conv(g, ConvPass::forward, {DType::u8, DType::i8}, 8),
                       doctest::Contains("found input U8, filters I8, output F32"), std::invalid_argument);
  ConvGeometry grouped = g;
  grouped.groups = 2;
  CHECK(grouped.macs() == g.macs() / 2);
  CHECK_THROWS_WITH_AS(cpu::plan_conv(grouped, ConvPass::forward, {}, 8), doctest::Contains("no kernels for groups"),
                       std::invalid_argument);
}

TEST_CASE("parts of Winograd's tiles: whole passes, as the kernels' rows divide them, but for the last") {
  for (const std::pair<int, int>& size : {std::pair{32, 16}, {16, 32}, {8, 64}, {32, 64}, {4, 512}}) {
    const int side = size.first, channels = size.second;
    const ConvGeometry g = conv_geometry(128, side, channels, channels, 3, 1, 1);
    const int64_t tiles = g.batch * ceil_div(g.in_h, 4) * ceil_div(g.in_w, 4);
    for (const ConvPass pass : {ConvPass::forward, ConvPass::grad_weight}) {
      const cpu::TileSchedule plan = cpu::plan_conv(g, pass, {}, 16).tiles;
      CAPTURE(channels);
      CHECK(plan.begin(0, tiles) == 0);
      CHECK(plan.begin(plan.parts, tiles) == tiles);
      for (int64_t part = 0; part < plan.parts; ++part) CHECK(plan.begin(part, tiles) < plan.begin(part + 1, tiles));
      if (pass == ConvPass::forward && plan.parts > 1)
        for (int64_t part = 0; part < plan.parts; ++part) CHECK(plan.begin(part, tiles) == part * plan.pass);
    }
  }
}

TEST_CASE("the list of convolutions takes every algorithm, Winograd's at the channels whose errors are stated") {
  std::map<ConvAlgorithm, int> taken;
  const auto algorithm = [](const ConvGeometry& g) { return cpu::plan_conv(g, ConvPass::forward, {}, 16).algorithm; };
  int64_t most_parts = 0, most_passes = 0;
  for (const ConvGeometry& g : conv_geometries()) {
    ++taken[algorithm(g)];
    if (algorithm(g) != ConvAlgorithm::winograd) continue;
    for (const ConvPass pass : {ConvPass::forward, ConvPass::grad_weight}) {
      const cpu::TileSchedule tiles = cpu::plan_conv(g, pass, {}, 16).tiles;
      most_parts = std::max(most_parts, tiles.parts);
      if (tiles.parts == 1)
        most_passes = std::max(most_passes, ceil_div(g.batch * ceil_div(g.in_h, 4) * ceil_div(g.in_w, 4), tiles.pass));
    }
  }
  CHECK(most_parts == 16);
  CHECK(most_passes == 2);
  CHECK(taken[ConvAlgorithm::winograd] == 9);
  CHECK(taken[ConvAlgorithm::few_channels] >= 5);
  CHECK(taken[ConvAlgorithm::product] >= 10);
  CHECK(conv_geometries().back().in_c == 512);
  CHECK(algorithm(conv_geometries().back()) == ConvAlgorithm::winograd);
}
