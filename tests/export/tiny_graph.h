#pragma once
// A small deploy graph with one of everything, of numbers by formula.
#include <cstdint>
#include <string>
#include <vector>

#include "infer/graph.h"

namespace ntq::test {

/// 0 ... range - 1, well mixed.
inline int64_t mixed(int64_t index, int64_t salt, int64_t range) {
  uint64_t x = static_cast<uint64_t>(index * 31 + salt * 1009 + 7) * 0x9E3779B97F4A7C15u;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return static_cast<int64_t>((x >> 33) % static_cast<uint64_t>(range));
}

struct TinyLayer {
  int64_t out = 4, in = 4, kernel = 3, stride = 1;
  int weight_bits = 4, input_bits = 4;
  bool is_signed = false;
  float step = 0.25f;
};

/// A layer whose weights reach from the lowest code to the highest, whose channel 1 has a negative scale, and channel 2
/// the scale 0.
inline infer::Node tiny_layer(const std::string& name, int input, int64_t salt, const TinyLayer& layer = {}) {
  infer::Node node{.op = layer.kernel == 0 ? infer::Op::linear : infer::Op::conv, .name = name, .inputs = {input}};
  node.stride = layer.stride;
  node.pad = layer.kernel / 2;
  node.relu = true;
  const int64_t kernel = layer.kernel == 0 ? 1 : layer.kernel, half = int64_t{1} << (layer.weight_bits - 1);
  node.weights = {.out = layer.out, .kernel_h = kernel, .kernel_w = kernel, .in = layer.in, .bits = layer.weight_bits};
  for (int64_t i = 0; i < node.weights.size(); ++i) {
    node.weights.codes.push_back(static_cast<int8_t>(mixed(i, salt, 2 * half) - half));
  }
  node.codes.bits = layer.input_bits;
  node.codes.low = layer.is_signed ? -(1 << (layer.input_bits - 1)) : 0;
  node.codes.high = node.codes.low + (1 << layer.input_bits) - 1;
  node.codes.step = layer.step;
  for (int64_t o = 0; o < layer.out; ++o) {
    const float size = static_cast<float>(mixed(o, salt + 1, 100) + 50) / 100.0f;
    node.scale.push_back(layer.step * size / static_cast<float>(half * 4));
    node.bias.push_back(static_cast<float>(mixed(o, salt + 2, 100) - 30) / 64.0f);
  }
  if (layer.out > 2) node.scale[1] *= -1, node.scale[2] = 0;
  return node;
}

/// Images {8,8,3}, 5 classes: conv1 (signed 8 bits), two convolutions and a skip, a block with stride 2 whose shortcut
/// subsamples, an average and a classifier of 8 bits.
inline infer::Graph tiny_graph(int bits = 4) {
  infer::Graph graph;
  graph.image = {8, 8, 3};
  graph.preprocessing.mean = {0.5f, 0.25f, 0.125f};
  graph.preprocessing.deviation = {0.25f, 0.2f, 0.3f};
  const TinyLayer inner{.weight_bits = bits, .input_bits = bits};
  TinyLayer narrow = inner, wide = inner;
  narrow.out = 8, narrow.stride = 2;
  wide.out = wide.in = 8;
  graph.nodes.push_back(tiny_layer("conv1", infer::kImage, 1,
                                   {.in = 3, .weight_bits = 8, .input_bits = 8, .is_signed = true, .step = 0.03125f}));
  graph.nodes.push_back(tiny_layer("layer1.0.conv1", 0, 2, inner));
  graph.nodes.push_back(tiny_layer("layer1.0.conv2", 1, 3, inner));
  graph.nodes.back().inputs.push_back(0);
  graph.nodes.push_back(
      {.op = infer::Op::subsample_pad, .name = "layer2.0.shortcut", .inputs = {2}, .stride = 2, .extra = 2});
  graph.nodes.push_back(tiny_layer("layer2.0.conv1", 2, 4, narrow));
  graph.nodes.push_back(tiny_layer("layer2.0.conv2", 4, 5, wide));
  graph.nodes.back().inputs.push_back(3);
  graph.nodes.push_back({.op = infer::Op::global_average, .name = "average", .inputs = {5}});
  graph.nodes.push_back(
      tiny_layer("fc", 6, 6, {.out = 5, .in = 8, .kernel = 0, .weight_bits = 8, .input_bits = 8, .step = 0.015625f}));
  graph.nodes.back().relu = false;
  graph.classes = {"airplane", "automobile", "bird", "cat", "deer"};
  graph.notes = {{"model", "tiny"}};
  return graph;
}

/// The same with weights at half steps, of 8 bits in the first and last layer, and no channel whose scale is 0.
inline infer::Graph half_graph(int bits) {
  infer::Graph graph = tiny_graph(bits);
  for (infer::Node& node : graph.nodes) {
    if (!node.has_weights()) continue;
    node.weights.halves = 1;
    if (node.scale.size() > 2) node.scale[2] = node.scale[0];
    for (float& scale : node.scale) scale /= 2;
  }
  return graph;
}

/// The same with quantizers of 8 bits on the sums of residuals.
inline infer::Graph tiny_skip_graph() {
  const infer::Graph plain = tiny_graph(4);
  infer::Graph graph = plain;
  graph.nodes.clear();
  std::vector<int> places;
  const auto place = [&](int node) { return node == infer::kImage ? node : places[static_cast<size_t>(node)]; };
  const auto last = [&] { return static_cast<int>(graph.nodes.size()) - 1; };
  const auto quantize = [&](const std::string& name, std::vector<int> inputs, bool is_signed) {
    graph.nodes.push_back({.op = infer::Op::quantize, .name = name, .inputs = std::move(inputs), .relu = is_signed});
    graph.nodes.back().codes = {
        .bits = 8, .low = is_signed ? -128 : 0, .high = is_signed ? 127 : 255, .step = 0.0234375f};
  };
  for (infer::Node node : plain.nodes) {
    for (int& input : node.inputs) input = place(input);
    const int added = node.inputs.size() > 1 ? node.inputs[1] : infer::kImage;
    node.inputs.resize(1);
    const bool sum = added != infer::kImage;
    if (sum) node.relu = false;
    graph.nodes.push_back(node);
    if (sum) quantize(node.name + ".branch", {last(), added}, true);
    if (sum || node.name == "conv1") quantize(node.name + ".skip", {last()}, false);
    places.push_back(last());
  }
  return graph;
}

/// tiny_graph(4) with what has no integer form, or codes of another kind: floats into conv1, levels of weights, an
/// offset, levels of inputs, thresholds.
inline infer::Graph odd_graph() {
  infer::Graph graph = tiny_graph(4);
  graph.nodes[0].codes = {};
  for (float& scale : graph.nodes[0].scale) scale *= 32;
  std::vector<float> levels, thresholds;
  for (int i = 0; i < 16; ++i) levels.push_back(static_cast<float>((i - 7) * (i < 8 ? 7 - i : i - 7)) / 8.0f);
  for (int i = 0; i < 15; ++i) thresholds.push_back(static_cast<float>(i * i + 1) / 64.0f);
  graph.nodes[1].weights.levels = levels;
  infer::Node& moved = graph.nodes[2];
  moved.codes.offset = -0.3125f;
  for (const float scale : moved.scale) moved.offset_scale.push_back(scale * moved.codes.offset / moved.codes.step);
  graph.nodes[4].codes.thresholds = thresholds;
  for (int i = 0; i < 16; ++i) graph.nodes[4].codes.levels.push_back(static_cast<float>(i * i) / 16.0f);
  graph.nodes[5].codes.thresholds = thresholds;
  return graph;
}

/// Normalised images {8,8,8,3}, as scripts/check-onnx makes them.
inline constexpr int64_t kTinyImages = 8;
inline std::vector<float> tiny_images() {
  std::vector<float> images;
  for (int64_t i = 0; i < kTinyImages * 8 * 8 * 3; ++i) {
    images.push_back(static_cast<float>(static_cast<double>(i * 37 % 101 - 50) / 25.0));
  }
  return images;
}

}  // namespace ntq::test
