#include "export/onnx/skips.h"

#include <algorithm>

#include "base/check.h"

namespace ntq {
namespace {

using infer::Graph;
using infer::MapShape;
using infer::Node;
using infer::Op;

/// What a layer adds as a node of its own: the same numbers.
Graph split_sums(const Graph& graph) {
  Graph out = graph;
  out.nodes.clear();
  std::vector<int> moved;
  for (const Node& node : graph.nodes) {
    Node copy = node;
    for (int& input : copy.inputs) input = input == infer::kImage ? input : moved[static_cast<size_t>(input)];
    if (copy.has_weights() && copy.inputs.size() > 1) {
      Node sum{.op = Op::add, .name = node.name + ".sum", .relu = node.relu};
      sum.inputs = {static_cast<int>(out.nodes.size()), copy.inputs[1]};
      copy.inputs.pop_back(), copy.relu = false;
      out.nodes.push_back(std::move(copy));
      out.nodes.push_back(std::move(sum));
    } else {
      out.nodes.push_back(std::move(copy));
    }
    moved.push_back(static_cast<int>(out.nodes.size()) - 1);
  }
  return out;
}

/// The largest of a node's values, or with -1 of its negated ones, over all images: a graph that ends with them.
float largest_of(const Graph& graph, int node, float sign, MapShape shape, const LargestLogit& largest) {
  Graph probe = graph;
  probe.classes.clear();
  probe.nodes.resize(static_cast<size_t>(node) + 1);
  const auto append = [&](Node next) {
    next.name = concat("probe", probe.nodes.size());
    next.inputs = {static_cast<int>(probe.nodes.size()) - 1};
    probe.nodes.push_back(std::move(next));
  };
  const auto channels = static_cast<size_t>(shape.channels);
  append({.op = Op::affine, .scale = std::vector<float>(channels, sign), .bias = std::vector<float>(channels, 0.0f)});
  for (int64_t side = shape.height; side > 1;) {
    const int64_t kernel = side <= 64 ? side : 2 + side % 2;
    append({.op = Op::max_pool, .kernel = kernel, .stride = side <= 64 ? 1 : 2});
    side = side <= 64 ? 1 : (side - kernel) / 2 + 1;
  }
  return largest(probe);
}

Node quantizer_of(const std::string& name, int input, int64_t channels, const infer::InputCodes& codes) {
  Node node{.op = Op::conv, .name = name, .inputs = {input}};
  node.weights = {.out = channels, .in = channels, .bits = 2};
  node.weights.codes.assign(static_cast<size_t>(channels * channels), 0);
  for (int64_t c = 0; c < channels; ++c) node.weights.codes[static_cast<size_t>(c * channels + c)] = 1;
  node.codes = codes;
  node.scale.assign(static_cast<size_t>(channels), codes.step);
  node.bias.assign(static_cast<size_t>(channels), 0.0f);
  return node;
}

class SkipQuantization {
 public:
  SkipQuantization(const Graph& split, OnnxDialect dialect, const LargestLogit& largest)
      : graph_(split), dialect_(dialect), largest_(largest), shapes_(infer::check_graph(split, "graph")) {}

  Graph apply() {
    out_ = graph_;
    out_.nodes.clear();
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node node = graph_.nodes[i];
      const bool shortcut = dialect_ == OnnxDialect::trt && node.op == Op::add;
      for (size_t k = 0; k < node.inputs.size(); ++k) {
        const int from = node.inputs[k];
        if (from != infer::kImage) node.inputs[k] = shortcut && k == 1 ? quantized(from) : places_[index(from)];
      }
      out_.nodes.push_back(std::move(node));
      places_.push_back(static_cast<int>(out_.nodes.size()) - 1);
      codes_.emplace_back();
      quantizers_.push_back(-1);
      if (dialect_ == OnnxDialect::ort && read_as_floats(static_cast<int>(i))) {
        places_.back() = quantized(static_cast<int>(i));
      }
    }
    return std::move(out_);
  }

 private:
  static size_t index(int node) { return static_cast<size_t>(node); }

  /// Whether anything but an integer layer reads the value; the logits are left as they are.
  bool read_as_floats(int value) const {
    return std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const Node& node) {
      const bool reads = std::find(node.inputs.begin(), node.inputs.end(), value) != node.inputs.end();
      return reads && !node.has_weights();
    });
  }

  /// The quantizer behind a node, made when it is first asked for.
  int quantized(int value) {
    int& quantizer = quantizers_[index(value)];
    if (quantizer >= 0) return quantizer;
    codes_[index(value)] = codes_of(value);
    const Node& node = graph_.nodes[index(value)];
    out_.nodes.push_back(
        quantizer_of(node.name + ".int8", places_[index(value)], shapes_[index(value)].channels, codes_[index(value)]));
    return quantizer = static_cast<int>(out_.nodes.size()) - 1;
  }

  infer::InputCodes codes_of(int value) const {
    const Node& node = graph_.nodes[index(value)];
    // What only picks values keeps their codes.
    const bool picks = node.op == Op::max_pool || node.op == Op::subsample_pad;
    if (picks && node.inputs[0] != infer::kImage && quantizers_[index(node.inputs[0])] >= 0) {
      return codes_[index(node.inputs[0])];
    }
    const MapShape& shape = shapes_[index(value)];
    check(shape.height == shape.width, "--dialect ", onnx_dialect_name(dialect_), ": ", node.name, " gives ",
          shape.height, "x", shape.width, " values, ranges are taken of square ones; use --dialect plain");
    const float high = std::max(0.0f, largest_of(graph_, value, 1, shape, largest_));
    const float low = std::max(0.0f, largest_of(graph_, value, -1, shape, largest_));
    const bool is_signed = low > 0 || dialect_ == OnnxDialect::trt;
    const float top = std::max(low, high);
    infer::InputCodes codes{.bits = 8, .low = is_signed ? -128 : 0, .high = is_signed ? 127 : 255};
    codes.step = top > 0 ? top / static_cast<float>(codes.high) : 1.0f;
    return codes;
  }

  const Graph& graph_;
  OnnxDialect dialect_;
  const LargestLogit& largest_;
  std::vector<MapShape> shapes_;
  Graph out_;
  std::vector<int> places_, quantizers_;  ///< of each node, in `out_`; -1: none yet
  std::vector<infer::InputCodes> codes_;
};

}  // namespace

infer::Graph quantize_skips(const infer::Graph& graph, OnnxDialect dialect, const LargestLogit& largest) {
  check(dialect == OnnxDialect::ort || dialect == OnnxDialect::trt, "quantize_skips: expected ort or trt");
  for (const Node& node : graph.nodes) {
    check(!node.has_weights() || node.is_integer(), "--dialect ", onnx_dialect_name(dialect), ": ", node.name,
          " computes with floats; use --dialect plain");
  }
  const Graph split = split_sums(graph);
  return SkipQuantization(split, dialect, largest).apply();
}

bool is_quantizer(const infer::Node& node) {
  const infer::Weights& w = node.weights;
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

}  // namespace ntq
