// Which operators stand in an ONNX file, and how they hang together.
#include <doctest/doctest.h>

#include <cstring>
#include <stdexcept>

#include "export/onnx/weights.h"
#include "export/onnx/writer.h"
#include "tests/export/onnx_reader.h"
#include "tests/export/tiny_graph.h"

namespace ntq::test {
namespace {

using Reader = OnnxReader;

Reader written(const infer::Graph& graph, const OnnxOptions& options = {}) { return Reader(onnx_file(graph, options)); }

/// An image {2,2,1}, one layer, its logits.
infer::Graph one_layer(infer::Node node) {
  infer::Graph graph;
  graph.image = {2, 2, 1};
  graph.nodes.push_back(std::move(node));
  graph.nodes.push_back({.op = infer::Op::global_average, .name = "average", .inputs = {0}});
  return graph;
}
infer::Node one_conv() { return tiny_layer("conv", infer::kImage, 1, {.out = 2, .in = 1}); }

std::string refusal(const infer::Graph& graph, const OnnxOptions& options) {
  try {
    onnx_file(graph, options);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("onnx plain: QuantizeLinear, Clip behind it, DequantizeLinear, Conv with a float bias") {
  const Reader r = written(tiny_graph(4));
  CHECK(r.file().opset == 13);
  CHECK(r.file().ir == 8);
  CHECK(r.way("layer1.0.conv1/Relu") ==
        "Relu Conv DequantizeLinear Clip QuantizeLinear Relu Conv DequantizeLinear QuantizeLinear");
  const OnnxNode& conv = r.node("layer1.0.conv1/Conv");
  REQUIRE(conv.inputs.size() == 3);
  CHECK(r.node(conv.inputs[1]).op == "DequantizeLinear");
  CHECK(r.constant(r.node(conv.inputs[1]).inputs[0]).type == OnnxType::i8);
  CHECK(r.constant(r.node(conv.inputs[1]).inputs[0]).dims == std::vector<int64_t>{4, 4, 3, 3});
  CHECK(r.constant(r.node(conv.inputs[1]).inputs[1]).dims == std::vector<int64_t>{4});
  CHECK(r.constant(conv.inputs[2]).type == OnnxType::f32);
  CHECK(r.constant(r.node("layer1.0.conv1/Clip").inputs[2]).raw == "\x0f");
  CHECK(r.constant(r.node("layer1.0.conv1/QuantizeLinear").inputs[2]).raw == std::string(1, '\0'));
  // A first input with a sign has the zero point 128 and all of the byte.
  CHECK(r.constant(r.node("conv1/QuantizeLinear").inputs[2]).raw == "\x80");
  CHECK(r.node("layer1.0.conv2/Add").inputs == std::vector<std::string>{"layer1.0.conv2/Conv", "conv1/Relu"});
  CHECK(r.node("layer2.0.conv2/Add").inputs[1] == "layer2.0.shortcut/Pad");
  CHECK(r.file().nodes.back().op == "Gemm");
  CHECK(r.file().nodes.back().output == "logits");
}

TEST_CASE("onnx plain: 8 bits need no Clip") {
  const Reader r = written(tiny_graph(8));
  CHECK(r.count("Clip") == 0);
  CHECK(r.count("Conv") == 5);
  CHECK(written(tiny_graph(2)).count("Clip") == 4);
}

TEST_CASE("onnx: the batch is open, the metadata say how images are made and what classes are called") {
  const Reader r = written(tiny_graph());
  CHECK(r.file().input_dims == std::vector<int64_t>{3, 8, 8});
  CHECK(r.file().output_dims == std::vector<int64_t>{5});
  CHECK(r.metadata("ntq.mean") == "0.5,0.25,0.125");
  CHECK(r.metadata("ntq.std") == "0.25,0.2,0.3");
  CHECK(r.metadata("ntq.crop") == "whole");
  CHECK(r.metadata("ntq.classes") == "airplane\nautomobile\nbird\ncat\ndeer\n");
  CHECK(r.metadata("ntq.model") == "tiny");
  CHECK(r.metadata("ntq.dialect") == "plain");
}

TEST_CASE("onnx: class names are a line each whatever is in them, and notes take no other entry's place") {
  infer::Graph graph = tiny_graph();
  graph.classes[1] = "two\nlines\x1b";
  graph.notes["classes"] = "of a stranger", graph.notes["dataset"] = "d";
  const Reader r = written(graph);
  CHECK(r.metadata("ntq.classes") == "airplane\ntwo\\nlines\\x1b\nbird\ncat\ndeer\n");
  CHECK(r.metadata("ntq.dataset") == "d");
  const auto& entries = r.file().metadata;
  CHECK(std::count_if(entries.begin(), entries.end(), [](const auto& e) { return e.first == "ntq.classes"; }) == 1);
}

TEST_CASE("onnx: names of nodes and constants are unique, and what a node reads is there before it") {
  const auto plain = OnnxDialect::plain, exact = OnnxDialect::exact, ort = OnnxDialect::ort;
  for (const Reader& r :
       {written(tiny_graph(4), {.dialect = plain, .weights = OnnxWeights::int4}), written(odd_graph()),
        written(tiny_graph(4), {.dialect = ort}), written(odd_graph(), {.dialect = exact})}) {
    std::vector<std::string> known = {"image"};
    for (const auto& tensor : r.file().constants) {
      CHECK_MESSAGE(std::find(known.begin(), known.end(), tensor.name) == known.end(), tensor.name);
      known.push_back(tensor.name);
    }
    for (const auto& node : r.file().nodes) {
      for (const auto& input : node.inputs) {
        CHECK_MESSAGE(std::find(known.begin(), known.end(), input) != known.end(), node.name, " reads ", input);
      }
      CHECK_MESSAGE(std::find(known.begin(), known.end(), node.output) == known.end(), node.output);
      known.push_back(node.output);
    }
  }
}

TEST_CASE("onnx: narrow weights are cast to int8, by the opset that has them") {
  const Reader four = written(tiny_graph(4), {.weights = OnnxWeights::int4});
  CHECK(four.file().opset == 21);
  CHECK(four.file().ir == 10);
  CHECK(four.constant("layer1.0.conv1.weight").type == OnnxType::int4);
  CHECK(four.constant("layer1.0.conv1.weight").raw.size() == 4 * 4 * 9 / 2);
  CHECK(four.node("layer1.0.conv1.weight/Cast").attributes[0].values[0] == 3);
  CHECK(four.constant("conv1.weight").type == OnnxType::i8);
  CHECK(four.count("Cast") == 4);
  const Reader two = written(tiny_graph(2), {.weights = OnnxWeights::int2});
  CHECK(two.file().opset == 25);
  CHECK(two.file().ir == 13);
  CHECK(two.constant("layer1.0.conv1.weight").type == OnnxType::int2);
  CHECK(refusal(tiny_graph(8), {.weights = OnnxWeights::int4}).find("leave it out") != std::string::npos);
}

TEST_CASE("onnx exact: sums of integers, then the definition's float32 steps") {
  const Reader r = written(tiny_graph(4), {.dialect = OnnxDialect::exact});
  CHECK(r.count("Conv") == 0);
  CHECK(r.count("ConvInteger") == 5);
  CHECK(r.count("MatMulInteger") == 1);
  CHECK(r.way("layer1.0.conv1/Relu") ==
        "Relu Add Mul Cast ConvInteger Clip QuantizeLinear Relu Add Mul Cast ConvInteger QuantizeLinear");
  CHECK(r.count("GlobalAveragePool") == 0);
  // Codes have their own signs here; the scale has the channel's.
  CHECK(r.constant("layer1.0.conv1.scale").dims == std::vector<int64_t>{1, 4, 1, 1});
}

TEST_CASE("onnx ort: int32 biases, codes spread over int8") {
  const Reader r = written(tiny_graph(4), {.dialect = OnnxDialect::ort});
  const OnnxNode& bias = r.node(r.node("layer1.0.conv1/Conv").inputs[2]);
  CHECK(bias.op == "DequantizeLinear");
  CHECK(r.constant(bias.inputs[0]).type == OnnxType::i32);
  const std::string& codes = r.constant("layer1.0.conv1.weight").raw;
  CHECK(static_cast<int8_t>(*std::min_element(codes.begin(), codes.end(),
                                              [](char a, char b) { return int8_t(a) < int8_t(b); })) == -64);
}

TEST_CASE("onnx: weights only, floats into DequantizeLinear's") {
  auto node = one_conv();
  node.codes = {};
  const Reader r = written(one_layer(node), {.weights = OnnxWeights::int4});
  CHECK(r.node("conv/Conv").inputs[0] == "image");
  CHECK(r.way("conv/Relu") == "Relu Conv");
  CHECK(r.node(r.node("conv/Conv").inputs[1]).op == "DequantizeLinear");
  CHECK(r.count("QuantizeLinear") == 0);
}

TEST_CASE("onnx: weights without an integer form are floats with the scale in them") {
  auto node = one_conv();
  node.weights.levels.assign(16, 0.0f);
  node.weights.levels[8] = 3;
  const Reader r = written(one_layer(node));
  CHECK(r.constant("conv.weight").type == OnnxType::f32);
  CHECK(r.node("conv/Conv").inputs[1] == "conv.weight");
  CHECK(r.way("conv/Conv") == "Conv DequantizeLinear Clip QuantizeLinear");
}

TEST_CASE("onnx: weights at half steps are what they count, where a byte holds it") {
  auto node = one_conv();
  node.weights.halves = 1;
  node.scale = {0.5f, 0.25f};
  const Reader plain = written(one_layer(node));
  CHECK(plain.count("Conv") == 1);
  const auto weights = plain.folded(plain.node("conv/Conv").inputs[1]);
  for (size_t i = 0; i < weights.size(); ++i)
    CHECK(weights[i] == (2 * node.weights.codes[i] + 1) * static_cast<double>(node.scale[i / 9] / node.codes.step));
  // Narrow types keep the codes, and runtimes compute the rest at load.
  const Reader narrow = written(one_layer(node), {.weights = OnnxWeights::int4});
  CHECK(narrow.constant("conv.weight").type == OnnxType::int4);
  CHECK(narrow.way("conv/Conv") == plain.way("conv/Conv"));
  CHECK(narrow.folded(narrow.node("conv/Conv").inputs[1]) == weights);
  // All zeros are none of its values.
  node.scale[1] = 0;
  CHECK(stored_type(node, OnnxWeights::int4) == OnnxType::i8);
}

TEST_CASE("onnx: a filter of ones adds what weights have in common where no byte holds what they count") {
  auto node = tiny_layer("conv", infer::kImage, 1, {.out = 2, .in = 1, .weight_bits = 8});
  node.weights.halves = 1;
  const Reader plain = written(one_layer(node));
  CHECK(plain.count("Conv") == 2);
  CHECK(plain.way("conv/Relu") == "Relu Add Conv DequantizeLinear Clip QuantizeLinear");
  CHECK(plain.way(plain.node("conv/Add").inputs[1]) == "Mul Conv DequantizeLinear Clip QuantizeLinear");
  CHECK(plain.constant("conv.ones").dims == std::vector<int64_t>{1, 1, 3, 3});
  const Reader exact = written(one_layer(node), {.dialect = OnnxDialect::exact});
  CHECK(exact.count("ConvInteger") == 2);
  CHECK(exact.way("conv/Relu") == "Relu Add Mul Cast Add Mul ConvInteger Clip QuantizeLinear");
}

TEST_CASE("onnx: an offset of the inputs, and in the exact dialect a bias for each pixel") {
  auto node = one_conv();
  node.codes.offset = -0.5f;
  node.offset_scale = {0.5f, 0.25f};
  CHECK(written(one_layer(node)).way("conv/Conv") == "Conv Add DequantizeLinear Clip QuantizeLinear Sub");
  const Reader exact = written(one_layer(node), {.dialect = OnnxDialect::exact});
  CHECK(exact.constant("conv.bias").dims == std::vector<int64_t>{1, 2, 2, 2});
  const auto& codes = node.weights.codes;  // {2,3,3,1}: the upper left pixel meets the taps from the middle on
  const int inside = codes[4] + codes[5] + codes[7] + codes[8];
  float first = 0;
  std::memcpy(&first, exact.constant("conv.bias").raw.data(), sizeof first);
  CHECK(first == static_cast<float>(node.bias[0] + inside * 0.5));
}

TEST_CASE("onnx: thresholds are compared with, unless they are where rounding has them") {
  auto node = one_conv();
  node.codes.bits = 2, node.codes.high = 3;
  node.codes.thresholds = {0.125f, 0.375f, 0.625f};
  CHECK(written(one_layer(node)).way("conv/Conv") == "Conv DequantizeLinear Clip QuantizeLinear");
  const std::string counted = "Cast ReduceSum Cast GreaterOrEqual Unsqueeze";
  CHECK(written(one_layer(node), {.dialect = OnnxDialect::exact}).way("conv/ConvInteger") == "ConvInteger " + counted);
  node.codes.thresholds[1] = 0.5f;
  CHECK(written(one_layer(node)).way("conv/Conv") == "Conv DequantizeLinear " + counted);
  node.codes.levels = {0, 0.25f, 0.75f, 2};
  CHECK(written(one_layer(node)).count("Gather") == 1);
}

TEST_CASE("onnx: sums of codes are of floats where runtimes would compute them in another way") {
  const auto graph = tiny_skip_graph();
  const std::string floats = "Mul Clip Round Div", codes = "DequantizeLinear QuantizeLinear";
  const auto ends_with = [&](OnnxDialect dialect, const std::string& ops) {
    return written(graph, {.dialect = dialect}).way("layer1.0.conv2.branch/Relu").starts_with("Relu Add " + ops);
  };
  CHECK(ends_with(OnnxDialect::plain, floats + " Conv"));
  CHECK(ends_with(OnnxDialect::exact, floats + " Add Mul Cast ConvInteger"));
  CHECK(ends_with(OnnxDialect::ort, codes + " Conv"));
  const Reader plain = written(graph), exact = written(graph, {.dialect = OnnxDialect::exact});
  CHECK(plain.node("layer1.0.conv2.branch/Add").inputs[1] == "conv1.skip/DequantizeLinear");
  CHECK(exact.node("layer1.0.conv2.branch/Add").inputs[1] == "conv1.skip/Mul");
  const auto number = [&](const std::string& node, size_t input) {
    float value = 0;
    std::memcpy(&value, plain.constant(plain.node(node).inputs[input]).raw.data(), sizeof value);
    return value;
  };
  CHECK(number("layer1.0.conv2.branch/Div", 1) == 0.0234375f);
  CHECK(number("layer1.0.conv2.branch/Clip", 1) == -128);
  CHECK(number("layer1.0.conv2.branch/Clip", 2) == 127);
  CHECK(number("layer1.0.conv2.branch/Mul", 1) == 0.0234375f);
  auto seven = graph;
  for (auto& node : seven.nodes) {
    if (node.codes.high == 255) node.codes.bits = 7, node.codes.high = 127;
  }
  CHECK(written(seven, {.dialect = OnnxDialect::trt}).count("Round") == 0);
  seven.nodes[1].codes = graph.nodes[1].codes;
  CHECK(refusal(seven, {.dialect = OnnxDialect::trt}) ==
        "--dialect trt: conv1.skip has inputs from 0 to 255, int8 ends at 127; train with --skip-bits 7");
}

TEST_CASE("onnx trt: int8 without zero points, the range by a Clip before it") {
  auto graph = tiny_graph(4);
  graph.nodes.back().codes.bits = 7, graph.nodes.back().codes.high = 127;
  const Reader r = written(graph, {.dialect = OnnxDialect::trt});
  CHECK(r.way("layer1.0.conv1/Conv") ==
        "Conv DequantizeLinear QuantizeLinear Clip Relu Conv DequantizeLinear QuantizeLinear");
  CHECK(r.constant(r.node("layer1.0.conv1/QuantizeLinear").inputs[2]).type == OnnxType::i8);
  CHECK(r.constant(r.node("layer1.0.conv1/Clip").inputs[2]).type == OnnxType::f32);
}

TEST_CASE("onnx trt: what TensorRT has no form for is refused, with what to do") {
  const OnnxOptions trt{.dialect = OnnxDialect::trt};
  CHECK(refusal(tiny_graph(8), trt).find("--act-bits 7") != std::string::npos);
  CHECK(refusal(tiny_graph(4), trt).find("--bits-of fc=a7") != std::string::npos);
  auto node = one_conv();
  CHECK(refusal(one_layer(node), {.dialect = OnnxDialect::trt, .weights = OnnxWeights::int4}).find("leave it out") !=
        std::string::npos);
  node.codes.offset = 1;
  node.offset_scale = {1, 1};
  CHECK(refusal(one_layer(node), trt).find("--dialect plain") != std::string::npos);
  auto uneven = one_conv();
  uneven.codes.bits = 2, uneven.codes.high = 3;
  uneven.codes.thresholds = {0.125f, 0.5f, 0.625f};
  CHECK(refusal(one_layer(uneven), trt).find("--dialect plain") != std::string::npos);
  uneven.codes.step = 0;
  CHECK(refusal(one_layer(uneven), {}).find("the step of the inputs is 0") != std::string::npos);
}

TEST_CASE("onnx: names of dialects and types, and what is said of others") {
  CHECK(parse_onnx_dialect("ort") == OnnxDialect::ort);
  CHECK(parse_onnx_weights("int2") == OnnxWeights::int2);
  CHECK_THROWS_WITH(parse_onnx_dialect("qlinear"), "--dialect: expected plain, exact, ort or trt, found qlinear");
  CHECK_THROWS_WITH(parse_onnx_weights("int3"), "--weight-type: expected int8, int4 or int2, found int3");
}

}  // namespace
}  // namespace ntq::test
