// Codes, signs, scales and packing of ONNX weights.
#include <doctest/doctest.h>

#include <cmath>

#include "export/onnx/weights.h"
#include "tests/export/tiny_graph.h"

namespace ntq::test {
namespace {

/// Two output channels of two weights each, 1x1.
infer::Node two_channels(int bits, std::vector<int8_t> codes, std::vector<float> scale) {
  infer::Node node{.op = infer::Op::conv, .name = "conv"};
  node.weights = {.out = 2, .in = 2, .bits = bits, .codes = std::move(codes)};
  node.scale = std::move(scale);
  node.bias = {1.5f, -3};
  return node;
}

using Codes = std::vector<int8_t>;

TEST_CASE("onnx codes: a negative scale goes into the codes where they fit") {
  const auto fits = onnx_codes(two_channels(4, {-8, 7, 3, -2}, {-0.5f, 0.25f}), {}, 0.5, OnnxType::i8);
  CHECK(fits.codes == Codes{8, -7, 3, -2});
  CHECK(fits.scales == std::vector<float>{1.0f, 0.5f});
  // -8 turned is 8, which four bits do not hold; the other channel's codes do.
  const auto narrow = onnx_codes(two_channels(4, {-8, 7, 3, -2}, {-0.5f, -0.25f}), {}, 0.5, OnnxType::int4);
  CHECK(narrow.codes == Codes{-8, 7, -3, 2});
  CHECK(narrow.scales == std::vector<float>{-1.0f, 0.5f});
  const auto byte = onnx_codes(two_channels(8, {-128, 127, -127, 5}, {-1, -1}), {}, 1, OnnxType::i8);
  CHECK(byte.codes == Codes{-128, 127, 127, -5});
  CHECK(byte.scales == std::vector<float>{-1, 1});
}

TEST_CASE("onnx codes: a channel without a scale has codes 0 and counts its bias in round numbers") {
  const auto codes = onnx_codes(two_channels(4, {1, 2, 3, 4}, {0, 1e-39f}), {}, 0.5, OnnxType::i8);
  CHECK(codes.codes == Codes{0, 0, 0, 0});
  CHECK(1.5 / (0.5 * static_cast<double>(codes.scales[0])) == 1 << 20);
  CHECK(3 / (0.5 * static_cast<double>(codes.scales[1])) == 1 << 20);
  auto silent = two_channels(4, {1, 2, 3, 4}, {0, 1});
  silent.bias[0] = 0;
  CHECK(onnx_codes(silent, {}, 1, OnnxType::i8).scales[0] == 1);
}

TEST_CASE("onnx codes: spread by the power of two that there is room for") {
  const auto spread = [](int bits, Codes codes) {
    const auto out = onnx_codes(two_channels(bits, std::move(codes), {0.5f, -1}), {}, 1, OnnxType::i8, true);
    return std::pair(out.codes, out.scales);
  };
  CHECK(spread(4, {-8, 7, -8, 1}) == std::pair(Codes{-64, 56, 64, -8}, std::vector<float>{0.0625f, 0.125f}));
  CHECK(spread(2, {-2, 1, 0, 1}) == std::pair(Codes{-64, 32, 0, -32}, std::vector<float>{0.5f / 32, 1.0f / 32}));
  CHECK(spread(8, {-128, 1, 0, 1}).first == Codes{-128, 1, 0, -1});
  CHECK(spread(4, {0, 0, 0, 0}).first == Codes{0, 0, 0, 0});
}

TEST_CASE("onnx codes: filters {Cout,Cin,Kh,Kw}; a linear layer reads its input channel by channel") {
  infer::Node conv{.op = infer::Op::conv, .name = "conv"};
  conv.weights = {.out = 1, .kernel_h = 2, .kernel_w = 2, .in = 2, .bits = 8, .codes = {0, 10, 1, 11, 2, 12, 3, 13}};
  CHECK(onnx_plain_codes(conv, {8, 8, 2}) == Codes{0, 1, 2, 3, 10, 11, 12, 13});
  CHECK(onnx_weight_dims(conv) == std::vector<int64_t>{1, 2, 2, 2});
  infer::Node linear{.op = infer::Op::linear, .name = "fc"};
  linear.weights = {.out = 1, .in = 8, .bits = 8, .codes = {0, 10, 1, 11, 2, 12, 3, 13}};
  CHECK(onnx_plain_codes(linear, {2, 2, 2}) == Codes{0, 1, 2, 3, 10, 11, 12, 13});
  CHECK(onnx_weight_dims(linear) == std::vector<int64_t>{1, 8});
}

TEST_CASE("onnx values: levels of the layer or of each channel, with the scale") {
  auto node = two_channels(2, {-2, 1, 0, -1}, {2, 10});
  node.weights.levels = {-1, -0.5f, 0.5f, 1};
  CHECK(onnx_values(node, {}, 1, false) == std::vector<float>{-1, 1, 0.5f, -0.5f});
  node.weights.levels = {-1, -0.5f, 0.5f, 1, 10, 20, 30, 40};
  CHECK(onnx_values(node, {}, 1, false) == std::vector<float>{-1, 1, 30, 20});
  CHECK(onnx_values(node, {}, 0.5, true) == std::vector<float>{-4, 4, 600, 400});
}

TEST_CASE("onnx packing: the first code in the lowest bits, what is left over 0") {
  CHECK(pack({1, -1, 7, -8, 3}, OnnxType::int4) == std::string("\xf1\x87\x03"));
  CHECK(pack({1, -1, -2, 0, 1}, OnnxType::int2) == std::string("\x2d\x01"));
  CHECK(pack({1, -1}, OnnxType::i8) == std::string("\x01\xff"));
}

TEST_CASE("onnx types: the narrowest with room, from the one asked for") {
  CHECK(stored_type(2, OnnxWeights::int8) == OnnxType::i8);
  CHECK(stored_type(2, OnnxWeights::int4) == OnnxType::int4);
  CHECK(stored_type(2, OnnxWeights::int2) == OnnxType::int2);
  CHECK(stored_type(3, OnnxWeights::int2) == OnnxType::int4);
  CHECK(stored_type(4, OnnxWeights::int2) == OnnxType::int4);
  CHECK(stored_type(5, OnnxWeights::int2) == OnnxType::i8);
}

}  // namespace
}  // namespace ntq::test
