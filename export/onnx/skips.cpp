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
    if (copy.may_quantize() && copy.inputs.size() > 1) {
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
      // One that training had serves as it is.
      const bool trained = graph_.nodes[i].op == Op::quantize && graph_.nodes[i].codes.levels.empty();
      codes_.push_back(trained ? graph_.nodes[i].codes : infer::InputCodes());
      quantizers_.push_back(trained ? places_.back() : -1);
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
      return reads && !node.may_quantize();
    });
  }

  /// The quantizer behind a node, made when it is first asked for.
  int quantized(int value) {
    int& quantizer = quantizers_[index(value)];
    if (quantizer >= 0) return quantizer;
    codes_[index(value)] = codes_of(value);
    const Node& node = graph_.nodes[index(value)];
    out_.nodes.push_back({.op = Op::quantize, .name = node.name + ".int8", .inputs = {places_[index(value)]}});
    out_.nodes.back().codes = codes_[index(value)];
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

}  // namespace ntq
