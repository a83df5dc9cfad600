#include "infer/quantizer_node.h"

#include <algorithm>

namespace ntq::infer {

Node quantizer_node(const std::string& name, int input, int64_t channels, const InputCodes& codes) {
  Node node{.op = Op::conv, .name = name, .inputs = {input}};
  node.weights = {.out = channels, .in = channels, .bits = 2};
  node.weights.codes.assign(static_cast<size_t>(channels * channels), 0);
  for (int64_t c = 0; c < channels; ++c) node.weights.codes[static_cast<size_t>(c * channels + c)] = 1;
  node.codes = codes;
  node.scale.assign(static_cast<size_t>(channels), codes.step);
  node.bias.assign(static_cast<size_t>(channels), 0.0f);
  return node;
}

bool is_quantizer(const Node& node) {
  const Weights& w = node.weights;
  if (node.op != Op::conv || w.kernel_h != 1 || w.kernel_w != 1 || w.in != w.out || node.stride != 1) return false;
  if (!node.is_integer() || node.codes.offset != 0 || !node.codes.thresholds.empty() || node.pad != 0) return false;
  for (int64_t i = 0; i < w.size(); ++i) {
    if (w.codes[static_cast<size_t>(i)] != (i / w.in == i % w.in ? 1 : 0)) return false;
  }
  const auto all = [](const std::vector<float>& values, float expected) {
    return std::all_of(values.begin(), values.end(), [&](float v) { return v == expected; });
  };
  return all(node.scale, node.codes.step) && all(node.bias, 0.0f);
}

}  // namespace ntq::infer
