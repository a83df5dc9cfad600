// 8-bit quantizers on residual sums.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "export/lower.h"
#include "export/onnx/skips.h"
#include "export/onnx/writer.h"
#include "infer/model.h"
#include "tests/export/networks.h"
#include "tests/export/tiny_graph.h"

namespace ntq::test {
namespace {

std::vector<float> tiny_logits(const infer::Graph& graph) {
  const infer::Model model(graph);
  infer::Workspace work(model, kTinyImages);
  std::vector<float> logits(static_cast<size_t>(kTinyImages * model.classes()));
  model.run(tiny_images().data(), kTinyImages, logits.data(), work);
  return logits;
}
float largest_of_tiny(const infer::Graph& graph) {
  const auto logits = tiny_logits(graph);
  return *std::max_element(logits.begin(), logits.end());
}

std::vector<std::string> quantizers_of(const infer::Graph& graph) {
  std::vector<std::string> names;
  for (const auto& node : graph.nodes) {
    if (node.op == infer::Op::quantize) names.push_back(node.name);
  }
  return names;
}

const infer::Node& find(const infer::Graph& graph, const std::string& name) {
  return *std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const auto& node) { return node.name == name; });
}

TEST_CASE("skips ort: both inputs of each sum and what floats read") {
  const auto graph = quantize_skips(tiny_graph(4), OnnxDialect::ort, largest_of_tiny);
  using Names = std::vector<std::string>;
  CHECK(quantizers_of(graph) == Names{"conv1.int8", "layer1.0.conv2.int8", "layer1.0.conv2.sum.int8",
                                      "layer2.0.shortcut.int8", "layer2.0.conv2.int8", "layer2.0.conv2.sum.int8"});
  CHECK(find(graph, "layer1.0.conv2.int8").codes.low == -128);  // no relu before it
  const auto& sum = find(graph, "layer1.0.conv2.sum.int8").codes;
  CHECK(sum.low == 0);
  CHECK(sum.high == 255);
  // What only picks values keeps their steps.
  CHECK(find(graph, "layer2.0.shortcut.int8").codes.step == sum.step);
}

TEST_CASE("skips: a step is the largest value of the images by the largest code") {
  auto graph = tiny_graph(4);
  graph.nodes.resize(3);  // conv1 and a block
  graph.nodes.push_back({.op = infer::Op::global_average, .name = "average", .inputs = {2}});
  graph.classes.clear();
  // The largest of conv1's outputs on all images, by hand: a pooling over all pixels.
  auto pooled = graph;
  pooled.nodes.resize(1);
  pooled.nodes.push_back({.op = infer::Op::max_pool, .name = "largest", .inputs = {0}, .kernel = 8});
  const float largest = largest_of_tiny(pooled);
  const auto quantized = quantize_skips(graph, OnnxDialect::ort, largest_of_tiny);
  CHECK(find(quantized, "conv1.int8").codes.step == largest / 255);
}

TEST_CASE("skips trt: the shortcut alone, with a sign") {
  const auto graph = quantize_skips(tiny_graph(4), OnnxDialect::trt, largest_of_tiny);
  CHECK(quantizers_of(graph) == std::vector<std::string>{"conv1.int8", "layer2.0.shortcut.int8"});
  CHECK(find(graph, "conv1.int8").codes.low == -128);
  // Only the sum reads it: the convolution has conv1's own values.
  CHECK(graph.nodes[static_cast<size_t>(find(graph, "layer1.0.conv1").inputs[0])].name == "conv1");
}

TEST_CASE("skips: fine steps change next to nothing") {
  const auto plain = tiny_logits(tiny_graph(8)),
             quantized = tiny_logits(quantize_skips(tiny_graph(8), OnnxDialect::ort, largest_of_tiny));
  float off = 0, most = 0;
  for (size_t i = 0; i < plain.size(); ++i) {
    off = std::max(off, std::abs(plain[i] - quantized[i]));
    most = std::max(most, std::abs(plain[i]));
  }
  CHECK(off > 0);
  CHECK(off < 0.03f * most);
}

TEST_CASE("skips: QuantizeLinear and DequantizeLinear in the file, no convolution") {
  const auto file =
      onnx_file(quantize_skips(tiny_graph(4), OnnxDialect::ort, largest_of_tiny), {.dialect = OnnxDialect::ort});
  const auto count = [&](const std::string& op) {
    return std::count_if(file.nodes.begin(), file.nodes.end(), [&](const OnnxNode& node) { return node.op == op; });
  };
  CHECK(count("Conv") == 5);
  CHECK(count("Add") == 2);
  CHECK(count("QuantizeLinear") == 6 + 6);
}

TEST_CASE("skips: quantizers that training had stay, and nothing changes") {
  const Tensor images = noise_image({3, 8, 8, 3}, 12);
  const auto logits = [&](const infer::Graph& graph) {
    const infer::Model model(graph);
    infer::Workspace work(model, 3);
    std::vector<float> out(static_cast<size_t>(3 * model.classes()));
    model.run(images.f32(), 3, out.data(), work);
    return out;
  };
  const auto never = [](const infer::Graph&) -> float { throw std::logic_error("a range was measured"); };
  ModelOptions options = bits(4, 4);
  options.skip_bits = 8;
  const auto changed = [&](const char* name, int64_t pickers) {
    const infer::Graph graph = lower(*settled(name, options, 8), {8, 8, 3}).graph;
    const infer::Graph quantized = quantize_skips(graph, OnnxDialect::ort, never);
    CHECK(quantizers_of(quantized).size() == quantizers_of(graph).size() + static_cast<size_t>(pickers));
    const auto before = logits(graph), after = logits(quantized);
    return std::memcmp(before.data(), after.data(), before.size() * sizeof(float)) != 0;
  };
  CHECK_FALSE(changed("resnet20", 2));  // what only picks values gets the same codes again
  CHECK_FALSE(changed("resnet20-b", 0));
  options.stem = Stem::imagenet;
  CHECK_FALSE(changed("resnet18", 1));
  // In the file they are no convolutions.
  const auto file =
      onnx_file(quantize_skips(lower(*settled("resnet18", options, 8), {8, 8, 3}).graph, OnnxDialect::ort, never),
                {.dialect = OnnxDialect::ort});
  CHECK(std::count_if(file.nodes.begin(), file.nodes.end(), [](const OnnxNode& node) { return node.op == "Conv"; }) ==
        20);
}

TEST_CASE("skips: layers in floats and other dialects are refused") {
  auto floats = tiny_graph(4);
  floats.nodes[0].codes = {};
  CHECK_THROWS_WITH(quantize_skips(floats, OnnxDialect::ort, largest_of_tiny),
                    "--dialect ort: conv1 computes with floats; use --dialect plain");
  CHECK_THROWS_AS(quantize_skips(tiny_graph(4), OnnxDialect::plain, largest_of_tiny), std::invalid_argument);
}

}  // namespace
}  // namespace ntq::test
