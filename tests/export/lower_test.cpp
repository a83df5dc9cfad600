// A network's graph computes what the network computes.
#include "export/lower.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/conv.h"
#include "engine/ops/pool.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "tests/export/networks.h"
#include "tests/support/deploy_oracle.h"

using namespace ntq;
using namespace ntq::test;

namespace {

std::vector<float> oracle_logits(const infer::Graph& graph, const Tensor& image) {
  return oracle_run(graph, image.to_vector()).outputs.back().values;
}

/// Largest difference, as a share of the largest logit.
double apart(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 1e-30, worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i])));
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return worst / most;
}

double apart(Module& model, const infer::Graph& graph, int64_t side) {
  const Tensor image = noise_image({1, side, side, graph.image.channels}, 9);
  return apart(oracle_logits(graph, image), float_logits(model, image));
}

int count(const infer::Graph& graph, infer::Op op) {
  int found = 0;
  for (const infer::Node& node : graph.nodes) found += node.op == op ? 1 : 0;
  return found;
}

}  // namespace

// Of the seven batch norms before convolutions of wrn16-4 the first goes into conv1.
TEST_CASE("every network: its layers and no op besides, near its float values") {
  struct Case {
    const char* name;
    int64_t side;
    int layers, affine, pads, adds;
    Stem stem = Stem::cifar;
  };
  for (const Case& c : {Case{"resnet20", 16, 20, 0, 2, 0}, Case{"resnet20-b", 16, 22, 0, 0, 0},
                        Case{"resnet18", 16, 21, 0, 0, 0, Stem::imagenet}, Case{"wrn16-4", 8, 17, 6, 0, 0}}) {
    CAPTURE(c.name);
    ModelOptions options = bits(8, 8);
    options.stem = c.stem;
    const auto model = settled(c.name, options, c.side);
    const Lowered lowered = lower(*model, {c.side, c.side, 3});
    const infer::Graph& graph = lowered.graph;
    CHECK(lowered.integer_layers() == c.layers);
    CHECK(lowered.float_layers.empty());
    CHECK(count(graph, infer::Op::affine) == c.affine);
    CHECK(count(graph, infer::Op::subsample_pad) == c.pads);
    CHECK(count(graph, infer::Op::global_average) == 1);
    CHECK(count(graph, infer::Op::max_pool) == (c.stem == Stem::imagenet ? 1 : 0));
    CHECK(count(graph, infer::Op::add) + count(graph, infer::Op::relu) == 0);
    CHECK(graph.nodes[0].name == "conv1");
    CHECK(graph.nodes[0].codes.low == -128);
    CHECK(graph.nodes.back().name == "fc");
    CHECK(graph.nodes.back().codes.low == 0);
    CHECK(apart(*model, graph, c.side) < 0.02);  // a code that flips is 1/127 of its range
  }
}

TEST_CASE("residual sums of codes are nodes that quantize, with the sum behind them") {
  ModelOptions options = bits(4, 4);
  options.skip_bits = 8;
  const auto model = settled("resnet20-b", options, 8);
  const Lowered lowered = lower(*model, {8, 8, 3});
  std::vector<std::string> names;
  for (const infer::Node& node : lowered.graph.nodes) {
    if (node.op != infer::Op::quantize) continue;
    names.push_back(node.name);
    const bool after_relu = node.name.ends_with("skip_quant") && !node.name.ends_with("_skip_quant");
    CHECK(node.codes.low == (after_relu ? 0 : -128));
    CHECK(node.codes.high == (after_relu ? 255 : 127));
  }
  CHECK(names.size() == 1 + 9 * 2 + 2);
  CHECK(names[0] == "skip_quant");
  CHECK(names[1] == "layer1.0.branch_skip_quant");
  CHECK(lowered.integer_layers() == 22);
  CHECK(arithmetic_text(lowered.graph) == "22 layers in integers");
  CHECK(count(lowered.graph, infer::Op::add) + count(lowered.graph, infer::Op::relu) == 0);
  CHECK(apart(*model, lowered.graph, 8) < 0.2);  // as without: a code that flips is 1/15 of its range
}

TEST_CASE("few bits, mixed bits, steps per channel") {
  for (const int b : {2, 3, 4}) {
    CAPTURE(b);
    ModelOptions options = bits(b, b);
    options.first_last_bits = 8;
    options.weight.per_channel = true;
    options.bits_of["layer2.0.conv1"] = {.weight = 6, .activation = 5};
    const auto model = settled("resnet20", options, 8);
    const Lowered lowered = lower(*model, {8, 8, 3});
    CHECK(lowered.integer_layers() == 20);
    for (const infer::Node& node : lowered.graph.nodes) {
      if (!node.has_weights()) continue;
      const bool end = node.name == "conv1" || node.name == "fc", other = node.name == "layer2.0.conv1";
      CHECK(node.weights.bits == (end ? 8 : other ? 6 : b));
      CHECK(node.codes.bits == (end ? 8 : other ? 5 : b));
    }
    // A code off is a third of the range at 2 bits: near in the layers that the image reaches first.
    const Tensor image = noise_image({1, 8, 8, 3}, 9);
    const auto same = apart(oracle_logits(lowered.graph, image), float_logits(*model, image));
    CHECK(same < (b == 4 ? 0.2 : 0.6));
  }
}

TEST_CASE("full precision and weights only are float layers, and say so") {
  const auto fp = settled("resnet20", {.classes = 5}, 8);
  const Lowered plain = lower(*fp, {8, 8, 3});
  CHECK(plain.integer_layers() == 0);
  CHECK(plain.float_layers.size() == 20);
  CHECK(apart(*fp, plain.graph, 8) < 1e-5);
  const auto weights = settled("resnet20", bits(2, 32), 8);
  const Lowered packed = lower(*weights, {8, 8, 3});
  CHECK(packed.graph.nodes[0].weights.bits == 2);
  CHECK(packed.integer_layers() == 0);
  CHECK(packed.float_layers[0].why == "its input is not quantized");
  CHECK(lowering_text(packed).rfind("20 layers in floats: conv1 (its input is not quantized)", 0) == 0);
  CHECK(apart(*weights, packed.graph, 8) < 1e-5);
}

TEST_CASE("the same graph from a model in training mode, which stays in it") {
  const auto model = settled("resnet20", bits(4, 4, "ntq"), 8);
  model->eval();
  const Lowered quiet = lower(*model, {8, 8, 3});
  model->train();
  const NamedTensors before = model->state_dict();
  std::vector<std::vector<float>> values;
  for (const auto& [name, tensor] : before) {
    if (tensor.dtype() == DType::f32) values.push_back(tensor.to_vector());
  }
  const Lowered noisy = lower(*model, {8, 8, 3});
  CHECK(model->training());
  size_t i = 0;
  for (const auto& [name, tensor] : before) {
    if (tensor.dtype() == DType::f32) CHECK(tensor.to_vector() == values[i++]);
  }
  for (size_t n = 0; n < quiet.graph.nodes.size(); ++n) {
    CHECK(quiet.graph.nodes[n].weights.codes == noisy.graph.nodes[n].weights.codes);
    CHECK(quiet.graph.nodes[n].scale == noisy.graph.nodes[n].scale);
    CHECK(quiet.graph.nodes[n].bias == noisy.graph.nodes[n].bias);
  }
  const auto fresh = make_model("resnet20", bits(4, 4));
  CHECK_THROWS_WITH_AS(lower(*fresh, {8, 8, 3}), doctest::Contains("step is not set"), std::invalid_argument);
}

namespace {

/// A network of somebody's own.
struct Own : Module {
  std::shared_ptr<Conv2d> conv;
  std::shared_ptr<BatchNorm2d> norm;
  std::shared_ptr<Linear> fc;
  std::function<Tensor(const Own&, const Tensor&)> body;
  explicit Own(std::function<Tensor(const Own&, const Tensor&)> given, int64_t features = 2) : body(std::move(given)) {
    Conv2dOptions o{.in_channels = 1, .out_channels = 2, .kernel = 3, .padding = 1, .bias = true, .name = "conv"};
    o.weight_quant = {.method = "lsq", .bits = 4}, o.input_quant = {.method = "lsq", .bits = 4};
    conv = register_module("conv", std::make_shared<Conv2d>(o));
    norm = register_module("norm", std::make_shared<BatchNorm2d>(BatchNormOptions{.channels = 2}));
    fc = register_module("fc", std::make_shared<Linear>(LinearOptions{.in_features = features, .out_features = 3}));
  }
  Tensor forward(const Tensor& x) override { return body(*this, x); }
};

}  // namespace

TEST_CASE("a quantized value may have any readers") {
  Own own([](const Own& m, const Tensor& x) {
    const Tensor y = m.conv->input_quantizer()->forward(m.conv->forward(x));
    return m.fc->forward(global_avg_pool(add(relu(y), y)));
  });
  settle(own, {2, 4, 4, 1});
  const Lowered lowered = lower(own, {4, 4, 1});
  CHECK(count(lowered.graph, infer::Op::relu) == 1);
  const Tensor image = noise_image({1, 4, 4, 1}, 9);
  CHECK(apart(oracle_logits(lowered.graph, image), float_logits(own, image)) < 1e-5);
}

TEST_CASE("scale and bias are those of the definition") {
  Own own([](const Own& m, const Tensor& x) {
    return m.fc->forward(global_avg_pool(m.norm->forward_relu(m.conv->forward(x))));
  });
  settle(own, {2, 4, 4, 1});
  const Lowered lowered = lower(own, {4, 4, 1});
  const infer::Node& node = lowered.graph.nodes.at(0);
  CHECK(node.relu);
  std::map<std::string, std::vector<float>> state;
  for (const auto& [name, tensor] : own.state_dict()) {
    if (tensor.dtype() == DType::f32) state[name] = tensor.to_vector();
  }
  for (size_t c = 0; c < 2; ++c) {
    const auto value = [&](const char* name) { return static_cast<double>(state.at(name).at(c)); };
    const double root = std::sqrt(value("norm.running_var") + static_cast<double>(1e-5f));
    const double steps = static_cast<double>(state["conv.input_quant.step"][0]) *
                         static_cast<double>(state["conv.weight_quant.step"][0]);
    const double scale = steps * value("norm.weight") / root;
    const double bias =
        value("norm.bias") + (value("conv.bias") - value("norm.running_mean")) * value("norm.weight") / root;
    CHECK(node.scale[c] == doctest::Approx(scale).epsilon(1e-7));
    CHECK(node.bias[c] == doctest::Approx(bias).epsilon(1e-6));
  }
  CHECK(node.codes.step == state["conv.input_quant.step"][0]);
}

TEST_CASE("somebody's own modules: constants, shared values, sums, flattening") {
  // A value that two read is not changed under the other; scale and shift go into what is there.
  Own shared([](const Own& m, const Tensor& x) {
    const Tensor y = m.norm->forward(m.conv->forward(x));
    return m.fc->forward(global_avg_pool(add(relu(y), sub(mul(y, 2.0f), 1.0f))));
  });
  Own flat(
      [](const Own& m, const Tensor& x) {
        const Tensor y = max_pool2d(neg(m.conv->forward(x)), {.kernel = 2, .stride = 2});
        return scale(m.fc->forward(reshape(y, {y.size(0), 8})), 0.5f);
      },
      8);
  // Weights that are computed before they are used, and a whole window.
  Own computed([](const Own& m, const Tensor& x) {
    const Tensor w = sub(m.conv->weight(), mean(m.conv->weight()));
    const Tensor y = avg_pool2d(conv2d(x, w, {.padding = 1}), {.kernel = 4, .stride = 1});
    return m.fc->forward(y.detach().view({x.size(0), 2}));
  });
  for (Own* own : {&shared, &flat, &computed}) {
    settle(*own, {2, 4, 4, 1});
    own->conv->forward(noise_image({2, 4, 4, 1}, 1));  // one of them does not run it
    const Lowered lowered = lower(*own, {4, 4, 1});
    CHECK(apart(*own, lowered.graph, 4) < 1e-5);
  }
  const infer::Graph graph = lower(shared, {4, 4, 1}).graph;
  CHECK(count(graph, infer::Op::relu) == 1);
  CHECK(count(graph, infer::Op::affine) == 1);
  CHECK(count(graph, infer::Op::add) == 1);
}

TEST_CASE("what has no form is refused in a line") {
  const auto refused = [](std::function<Tensor(const Own&, const Tensor&)> body, const char* expected) {
    Own own(std::move(body));
    settle(own, {2, 4, 4, 1});
    CHECK_THROWS_WITH_AS(lower(own, {4, 4, 1}), doctest::Contains(expected), CannotDeploy);
  };
  refused([](const Own& m, const Tensor& x) { return m.fc->forward(global_avg_pool(ntq::tanh(m.conv->forward(x)))); },
          "conv: the op tanh cannot be deployed");
  refused(
      [](const Own& m, const Tensor& x) {
        const Tensor y = m.conv->forward(x);
        return m.fc->forward(global_avg_pool(mul(y, y)));
      },
      "conv: the op mul of two values cannot be deployed");
  const auto huge = settled("resnet20", bits(4, 4), 8);
  for (auto [name, tensor] : huge->named_parameters()) {
    if (name == "layer1.0.bn2.bias") tensor.fill(3e38f);
  }
  CHECK_THROWS_WITH_AS(lower(*huge, {8, 8, 3}), doctest::Contains("layer1.0.conv2, whose values may reach 3e+38"),
                       CannotDeploy);
  // 8 by 8 bits: a sum of more than 65,793 products may leave 32 bits.
  struct Long : Module {
    std::shared_ptr<Linear> fc;
    Long() {
      LinearOptions o{.in_features = 160 * 160 * 3, .out_features = 1, .name = "fc"};
      o.weight_quant = {.method = "lsq", .bits = 8}, o.input_quant = {.method = "lsq", .bits = 8, .is_signed = false};
      fc = register_module("fc", std::make_shared<Linear>(o));
    }
    Tensor forward(const Tensor& x) override { return fc->forward(reshape(x, {x.size(0), x.numel() / x.size(0)})); }
  } tall;
  settle(tall, {1, 160, 160, 3});
  CHECK_THROWS_WITH_AS(lower(tall, {160, 160, 3}), doctest::Contains("more than 32 bits hold"), CannotDeploy);
}
