#pragma once
// Graphs for tests: every kind of node and of codes, with values that follow from a seed.
#include <cmath>
#include <cstdlib>

#include "infer/graph.h"

namespace ntq::test {

/// Small whole numbers and floats in a fixed order.
class Values {
 public:
  explicit Values(uint32_t seed) : state_(seed * 2654435761u + 12345u) {}
  uint32_t next() { return (state_ = state_ * 1664525u + 1013904223u) >> 8; }
  int whole(int low, int high) { return low + static_cast<int>(next() % static_cast<uint32_t>(high - low + 1)); }
  float real(float low, float high) { return low + (high - low) * static_cast<float>(next() % 65536) / 65536.0f; }
  std::vector<float> reals(int64_t n, float low, float high) {
    std::vector<float> out(static_cast<size_t>(n));
    for (float& v : out) v = real(low, high);
    return out;
  }

 private:
  uint32_t state_;
};

struct ConvOf {
  std::string name;
  std::vector<int> inputs;
  int64_t in, out, kernel = 3, stride = 1;
  int weight_bits = 4;
  infer::InputCodes codes = {.bits = 4, .low = 0, .high = 15, .step = 0.125f};
  bool relu = true;
  int halves = 0;  ///< of the weights
};

/// Scales keep values about where they were: sums grow with the depth.
inline infer::Node conv_node(const ConvOf& c, Values& values) {
  infer::Node node{.op = infer::Op::conv, .name = c.name, .inputs = c.inputs, .relu = c.relu};
  node.stride = c.stride;
  node.pad = c.kernel / 2;
  node.codes = c.codes;
  infer::Weights& w = node.weights;
  w = {.out = c.out, .kernel_h = c.kernel, .kernel_w = c.kernel, .in = c.in, .bits = c.weight_bits};
  w.halves = c.halves;
  const int top = 1 << (c.weight_bits % 32 - 1 + (c.weight_bits == 32 ? 8 : 0));
  const float code = c.codes.present() ? c.codes.step * static_cast<float>(c.codes.high) : 2.0f;
  if (c.weight_bits == 32) {
    w.values = values.reals(w.size(), -1.0f, 1.0f);
  } else {
    for (int64_t i = 0; i < w.size(); ++i) w.codes.push_back(static_cast<int8_t>(values.whole(-top, top - 1)));
  }
  const int most = c.halves == 0 ? top : 2 * top + std::abs(c.halves);
  const float largest = c.weight_bits == 32 ? 1.0f : static_cast<float>(most);
  const float scale =
      6.0f / (std::sqrt(static_cast<float>(w.taps())) * largest * code) * (c.codes.present() ? c.codes.step : 1.0f);
  node.scale = values.reals(c.out, -scale, scale);
  node.bias = values.reals(c.out, -0.5f, 1.0f);
  return node;
}

inline infer::Node linear_node(const std::string& name, int from, int64_t in, int64_t out, infer::InputCodes codes,
                               Values& values) {
  infer::Node node = conv_node({.name = name,
                                .inputs = {from},
                                .in = in,
                                .out = out,
                                .kernel = 1,
                                .weight_bits = 8,
                                .codes = std::move(codes),
                                .relu = false},
                               values);
  node.op = infer::Op::linear;
  return node;
}

inline infer::InputCodes image_codes() { return {.bits = 8, .low = -128, .high = 127, .step = 1.0f / 48}; }

struct NetOptions {
  int64_t side = 8, width = 16;
  int weight_bits = 4;
  infer::InputCodes codes = {.bits = 4, .low = 0, .high = 15, .step = 0.125f};
  uint32_t seed = 1;
  int halves = 0;
};

/// A stem, a block with an identity, one with subsample_pad and one with a projection, pooling, a classifier.
inline infer::Graph residual_graph(const NetOptions& o = {}) {
  Values values(o.seed);
  infer::Graph g;
  g.image = {o.side, o.side, 3};
  g.preprocessing = {.mean = {0.4914f, 0.4822f, 0.4465f}, .deviation = {0.247f, 0.2435f, 0.2616f}};
  const auto conv = [&](ConvOf c) {
    c.weight_bits = o.weight_bits, c.halves = o.halves;
    if (c.inputs[0] != infer::kImage) c.codes = o.codes;
    g.nodes.push_back(conv_node(c, values));
    return static_cast<int>(g.nodes.size()) - 1;
  };
  const int64_t w = o.width;
  const int stem = conv({.name = "conv1", .inputs = {infer::kImage}, .in = 3, .out = w, .codes = image_codes()});
  const int a = conv({.name = "a.conv1", .inputs = {stem}, .in = w, .out = w});
  const int block_a = conv({.name = "a.conv2", .inputs = {a, stem}, .in = w, .out = w});
  g.nodes.push_back(
      {.op = infer::Op::subsample_pad, .name = "b.shortcut", .inputs = {block_a}, .stride = 2, .extra = w / 2});
  const int padded = block_a + 1;
  const int b = conv({.name = "b.conv1", .inputs = {block_a}, .in = w, .out = 2 * w, .stride = 2});
  const int block_b = conv({.name = "b.conv2", .inputs = {b, padded}, .in = 2 * w, .out = 2 * w});
  const int project = conv(
      {.name = "c.shortcut", .inputs = {block_b}, .in = 2 * w, .out = 2 * w, .kernel = 1, .stride = 2, .relu = false});
  const int c = conv({.name = "c.conv1", .inputs = {block_b}, .in = 2 * w, .out = 2 * w, .stride = 2});
  const int block_c = conv({.name = "c.conv2", .inputs = {c, project}, .in = 2 * w, .out = 2 * w});
  g.nodes.push_back({.op = infer::Op::global_average, .name = "pool", .inputs = {block_c}});
  g.nodes.push_back(
      linear_node("fc", block_c + 1, 2 * w, 10, {.bits = 8, .low = 0, .high = 255, .step = 0.03f}, values));
  g.notes = {{"model", "tiny"}};
  for (int i = 0; i < 10; ++i) g.classes.push_back("class " + std::to_string(i));
  return g;
}

/// Nodes that the other has not: max_pool, affine, add, relu; and layers of floats, levels, offsets and thresholds.
inline infer::Graph mixed_graph(uint32_t seed = 2) {
  using namespace infer;
  Values values(seed);
  Graph g;
  g.image = {11, 9, 1};
  g.preprocessing = {.mean = {0.5f}, .deviation = {0.25f, 1, 1}, .crop = "field"};
  const InputCodes offset{.bits = 4, .low = 0, .high = 15, .step = 0.2f, .offset = -0.7f};
  InputCodes thresholds{.bits = 2, .low = 0, .high = 3, .step = 0.4f};
  thresholds.thresholds = {0.1f, 0.5f, 1.5f};
  InputCodes levels = thresholds;
  levels.levels = {0.0f, 0.3f, 0.9f, 2.5f};
  const InputCodes floats;
  g.nodes.push_back(
      conv_node({.name = "stem", .inputs = {kImage}, .in = 1, .out = 6, .kernel = 5, .codes = floats}, values));
  g.nodes.push_back({.op = Op::max_pool, .name = "pool", .inputs = {0}, .kernel = 3, .stride = 2, .pad = 1});
  g.nodes.push_back({.op = Op::affine,
                     .name = "norm",
                     .inputs = {1},
                     .relu = true,
                     .scale = values.reals(6, 0.5f, 2),
                     .bias = values.reals(6, -1, 1)});
  g.nodes.push_back(conv_node(
      {.name = "offset", .inputs = {2}, .in = 6, .out = 7, .codes = offset, .relu = false, .halves = -5}, values));
  g.nodes.back().offset_scale = values.reals(7, -0.01f, 0.01f);
  g.nodes.push_back(
      conv_node({.name = "thresholds", .inputs = {2}, .in = 6, .out = 7, .codes = thresholds, .relu = false}, values));
  g.nodes.push_back({.op = Op::add, .name = "sum", .inputs = {3, 4}, .relu = true});
  g.nodes.push_back(
      conv_node({.name = "levels", .inputs = {5}, .in = 7, .out = 20, .weight_bits = 3, .codes = levels}, values));
  g.nodes.back().weights.levels = values.reals(20 * 8, -1, 1);
  g.nodes.push_back(conv_node({.name = "weights",
                               .inputs = {5, 6},
                               .in = 7,
                               .out = 20,
                               .weight_bits = 2,
                               .codes = floats,
                               .relu = false,
                               .halves = 1},
                              values));
  g.nodes.push_back({.op = Op::relu, .name = "relu", .inputs = {7}});
  g.nodes.push_back(conv_node(
      {.name = "offset of floats", .inputs = {8}, .in = 20, .out = 18, .stride = 2, .weight_bits = 32, .codes = offset},
      values));
  g.nodes.back().offset_scale = values.reals(18, -0.1f, 0.1f);
  g.nodes.push_back(linear_node("fc", 9, 3 * 3 * 18, 5, {.bits = 5, .low = -16, .high = 15, .step = 0.1f}, values));
  return g;
}

inline infer::Node quantize_node(const std::string& name, std::vector<int> inputs, infer::InputCodes codes,
                                 bool relu = false) {
  infer::Node node{.op = infer::Op::quantize, .name = name, .inputs = std::move(inputs), .relu = relu};
  node.codes = std::move(codes);
  return node;
}

/// Residual sums of codes: an identity and a projection, in orders in which the sum can and cannot be part of the
/// convolution before it; behind floats, pooling and a linear layer; codes with thresholds and an offset.
inline infer::Graph skip_graph(int bits = 8, uint32_t seed = 5) {
  using namespace infer;
  Values values(seed);
  Graph g;
  g.image = {9, 7, 3};
  const int top = 1 << bits, half = top / 2;
  const InputCodes whole{.bits = bits, .low = 0, .high = top - 1, .step = 3.0f / static_cast<float>(top)};
  const InputCodes both{.bits = bits, .low = -half, .high = half - 1, .step = 2.5f / static_cast<float>(half)};
  const auto last = [&] { return static_cast<int>(g.nodes.size()) - 1; };
  const auto conv = [&](ConvOf c) {
    g.nodes.push_back(conv_node(c, values));
    return last();
  };
  const auto quantize = [&](const std::string& name, std::vector<int> inputs, const InputCodes& codes,
                            bool relu = false) {
    g.nodes.push_back(quantize_node(name, std::move(inputs), codes, relu));
    return last();
  };
  InputCodes moved = both, uneven{.bits = 2, .low = 0, .high = 3};
  moved.offset = 0.3f;
  for (int code = moved.low; code <= moved.high; ++code)
    moved.levels.push_back(static_cast<float>(code) * moved.step + moved.offset);
  uneven.thresholds = {0.1f, 0.5f, 1.5f};
  uneven.levels = {0.0f, 0.3f, 0.9f, 2.5f};

  const int image = quantize("image", {kImage}, both);
  const int stem = conv({.name = "conv1", .inputs = {image}, .in = 3, .out = 18, .kernel = 5, .codes = image_codes()});
  const int x = quantize("skip", {stem}, whole);
  const int a = conv({.name = "a.conv1", .inputs = {x}, .in = 18, .out = 18});
  const int branch = conv({.name = "a.conv2", .inputs = {a}, .in = 18, .out = 18, .relu = false});
  const int sum = quantize("a.branch", {branch, x}, both, true);
  const int block = quantize("a.skip", {sum}, whole);
  g.nodes.push_back({.op = Op::max_pool, .name = "pool", .inputs = {block}, .kernel = 3, .stride = 2, .pad = 1});
  const int pooled = quantize("pool.skip", {last()}, whole);
  const int b = conv({.name = "b.conv", .inputs = {pooled}, .in = 18, .out = 20, .relu = false});
  const int project = conv({.name = "b.shortcut", .inputs = {pooled}, .in = 18, .out = 20, .kernel = 1, .relu = false});
  const int b_codes = quantize("b.branch", {b}, both);
  const int b_sum = quantize("b.shortcut.skip", {project, b_codes}, both, true);
  const int c = conv({.name = "c.conv", .inputs = {b_sum}, .in = 20, .out = 20, .relu = false});
  const int c_floats = conv({.name = "c.floats", .inputs = {b_sum}, .in = 20, .out = 20, .codes = {}, .relu = false});
  const int c_sum = quantize("c.later", {c, quantize("c.first", {c_floats}, moved)}, both);
  const int c_twice = quantize("c.twice", {c_sum, c_sum}, whole);
  g.nodes.push_back({.op = Op::add, .name = "add", .inputs = {c_twice, b_sum}});
  // The sum is part of the convolution, but what it adds is read once more before its own place.
  const int added = last();
  const int e = conv({.name = "e.conv", .inputs = {added}, .in = 20, .out = 20, .relu = false});
  g.nodes.push_back({.op = Op::relu, .name = "e.relu", .inputs = {added}});
  const int e_sum = quantize("e.branch", {e, added}, both, true);
  g.nodes.push_back({.op = Op::add, .name = "e.add", .inputs = {e_sum, last() - 1}});
  const int d = quantize("d.uneven", {last(), c_sum}, uneven, true);
  g.nodes.push_back({.op = Op::global_average, .name = "average", .inputs = {d}});
  g.nodes.push_back(linear_node("fc", last(), 20, 10, {.bits = 8, .low = 0, .high = 255, .step = 0.03f}, values));
  quantize("logits", {last()}, {.bits = 8, .low = -128, .high = 127, .step = 0.01f});
  return g;
}

inline std::vector<uint8_t> some_images(const infer::Graph& graph, int64_t count, uint32_t seed = 7) {
  Values values(seed);
  std::vector<uint8_t> out(static_cast<size_t>(graph.image.size() * count));
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(values.whole(0, 255));
  return out;
}

}  // namespace ntq::test
