// Lowered networks as infer/ runs them, against plain loops: every node, to the bit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "engine/ops/pool.h"
#include "export/lower.h"
#include "infer/model.h"
#include "models/blocks.h"
#include "quant/method.h"
#include "tests/export/networks.h"
#include "tests/support/deploy_oracle.h"

using namespace ntq;
using namespace ntq::test;

namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<float> run(const infer::Graph& graph, const Tensor& images) {
  const infer::Model model(graph);
  infer::Workspace work(model, images.size(0));
  std::vector<float> logits(static_cast<size_t>(images.size(0) * model.classes()));
  model.run(images.f32(), images.size(0), logits.data(), work);
  return logits;
}

/// The graph up to a node, and the average of what that gives.
infer::Graph up_to(const infer::Graph& graph, size_t node) {
  infer::Graph out = graph;
  out.nodes.resize(node + 1);
  if (out.nodes.back().op != infer::Op::linear && out.nodes.back().op != infer::Op::global_average) {
    out.nodes.push_back({.op = infer::Op::global_average, .name = "average", .inputs = {static_cast<int>(node)}});
  }
  return out;
}

void check_equal(const infer::Graph& graph) {
  const infer::MapShape s = graph.image;
  const Tensor images = noise_image({1, s.height, s.width, s.channels}, 12);
  for (size_t node = 0; node < graph.nodes.size(); ++node) {
    const infer::Graph part = up_to(graph, node);
    const OracleRun expected = oracle_run(part, images.to_vector());
    CHECK_MESSAGE(same_bits(run(part, images), expected.outputs.back().values), graph.nodes[node].name);
  }
}

}  // namespace

TEST_CASE("every node of a small network of every method") {
  for (const std::string& method : quantizer_names()) {
    for (const int b : {2, 8}) {
      CAPTURE(method);
      CAPTURE(b);
      // A first convolution, a block that changes the shape, a classifier: resnet20's kinds of layers.
      const auto model = settled("resnet20", bits(b, quant_method(method).scope.unsigned_inputs ? b : 32, method), 4);
      infer::Graph graph = lower(*model, {4, 4, 3}).graph;
      const Tensor images = noise_image({3, 4, 4, 3}, 12);
      std::vector<float> expected;
      for (int64_t i = 0; i < 3; ++i) {
        const auto values = oracle_run(graph, images.rows(i, i + 1).to_vector()).outputs.back().values;
        expected.insert(expected.end(), values.begin(), values.end());
      }
      CHECK(same_bits(run(graph, images), expected));
    }
  }
}

TEST_CASE("every node of networks with pre-activation, projections and pooling") {
  ModelOptions options = bits(4, 3);
  options.first_last_bits = 8;
  options.weight.per_channel = true;
  check_equal(lower(*settled("wrn16-4", options, 8), {8, 8, 3}).graph);
  check_equal(lower(*settled("resnet20-b", options, 6), {6, 6, 3}).graph);
  options.stem = Stem::imagenet;
  check_equal(lower(*settled("resnet18", options, 8), {8, 8, 3}).graph);
}

TEST_CASE("every node where residual sums are of codes") {
  ModelOptions options = bits(4, 4, "ntq");
  options.skip_bits = 8;
  check_equal(lower(*settled("resnet20", options, 4), {4, 4, 3}).graph);
  check_equal(lower(*settled("resnet20-b", options, 4), {4, 4, 3}).graph);
  options.stem = Stem::imagenet;
  check_equal(lower(*settled("resnet18", options, 8), {8, 8, 3}).graph);
}

TEST_CASE("every node of a bottleneck whose sum is of codes") {
  struct Net : Module {
    std::shared_ptr<Bottleneck> block;
    std::shared_ptr<Linear> fc;
    explicit Net(LayerMaker& make) {
      block = register_module("block", std::make_shared<Bottleneck>(
                                           make, "block", BlockSizes{.in = 3, .out = 20, .stride = 2, .inner = 5}));
      fc = register_module("fc", make.classifier("fc", 20, kReluOutput));
    }
    Tensor forward(const Tensor& x) override { return fc->forward(global_avg_pool(block->forward(x))); }
  };
  for (const int b : {5, 8}) {
    ModelOptions options = bits(4, 4);
    options.skip_bits = b;
    LayerMaker make(options);
    Net net(make);
    settle(net, {4, 6, 6, 3});
    const infer::Graph graph = lower(net, {6, 6, 3}).graph;
    CHECK(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                        [](const infer::Node& node) { return node.op == infer::Op::quantize; }) == 3);
    check_equal(graph);
  }
}

TEST_CASE("every node where inputs have an offset and images an odd size") {
  check_equal(lower(*settled("resnet20", bits(4, 4, "lsq+"), 5), {5, 5, 3}).graph);
}
