#include "export/onnx/writer.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/check.h"
#include "base/printable.h"
#include "export/onnx/weights.h"

namespace ntq {
namespace {

using infer::MapShape;
using infer::Node;
using infer::Op;

/// The shortest text that reads as the same float.
std::string text_of(float value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

class GraphWriter {
 public:
  GraphWriter(const infer::Graph& graph, const OnnxOptions& options)
      : graph_(graph), options_(options), shapes_(infer::check_graph(graph, "graph")) {}

  OnnxFile write() {
    set_version();
    const MapShape& image = graph_.image;
    b_.file.input_dims = {image.channels, image.height, image.width};
    b_.file.output_dims = {shapes_.back().channels};
    image_ = {.name = b_.file.input, .shape = image};
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      OnnxValue value = output(graph_.nodes[i], shapes_[i]);
      value.shape = shapes_[i];
      values_.push_back(value);
    }
    finish();
    describe();
    return std::move(b_.file);
  }

 private:
  void set_version() {
    bool int4 = false, int2 = false;
    for (const Node& node : graph_.nodes) {
      if (!node.has_weights() || node.weights.bits == 32 || !node.weights.levels.empty()) continue;
      const OnnxType type = stored_type(node, options_.weights);
      int4 = int4 || type == OnnxType::int4;
      int2 = int2 || type == OnnxType::int2;
    }
    const bool asked = options_.weights != OnnxWeights::int8;
    check(!asked || int4 || int2, "--weight-type: no layer has weights of so few bits; leave it out");
    check(!asked || options_.dialect != OnnxDialect::trt,
          "--weight-type: TensorRT multiplies int8; leave it out with --dialect trt");
    b_.file.opset = int2 ? 25 : int4 ? 21 : 13;
    b_.file.ir = int2 ? 13 : int4 ? 10 : 8;
  }

  const OnnxValue& input(const Node& node, size_t i) const {
    return node.inputs[i] == infer::kImage ? image_ : values_[static_cast<size_t>(node.inputs[i])];
  }

  OnnxValue map(const OnnxValue& x, const std::string& layer) {
    if (!x.flat) return x;
    return {b_.node("Unsqueeze", layer, {x.name, b_.int64s(layer + ".axes", {2, 3})}), x.shape, false};
  }
  OnnxValue flat(const OnnxValue& x, const std::string& layer) {
    if (x.flat) return x;
    return {b_.node("Flatten", layer, {x.name}, {attribute("axis", 1)}), x.shape, true};
  }

  OnnxValue output(const Node& node, const MapShape& shape) {
    OnnxValue y = node.op == Op::linear ? flat(input(node, 0), node.name) : map(input(node, 0), node.name);
    switch (node.op) {
      case Op::conv:
      case Op::linear: y.name = layer_output(b_, node, y, shape, options_); break;
      case Op::quantize: y.name = quantizer_output(b_, node, y.name, 4, options_.dialect); break;
      case Op::affine: y.name = affine(node, y.name); break;
      case Op::add: break;
      case Op::relu: y.name = b_.node("Relu", node.name, {y.name}); break;
      case Op::max_pool: y.name = max_pool(node, y.name); break;
      case Op::subsample_pad: y.name = subsample_pad(node, y.name); break;
      case Op::global_average: y.name = global_average(node, y); break;
    }
    if (node.inputs.size() > 1) y.name = b_.node("Add", node.name, {y.name, like(y, node)});
    if (node.relu) y.name = b_.node("Relu", node.name, {y.name});
    return y;
  }

  /// The second input, of the rank of what it is added to.
  std::string like(const OnnxValue& y, const Node& node) {
    const OnnxValue& other = input(node, 1);
    return y.flat ? flat(other, node.name).name : map(other, node.name).name;
  }

  std::string affine(const Node& node, const std::string& x) {
    const std::vector<int64_t> dims = {1, static_cast<int64_t>(node.scale.size()), 1, 1};
    const std::string y = b_.node("Mul", node.name, {x, b_.floats(node.name + ".scale", node.scale, dims)});
    return b_.node("Add", node.name, {y, b_.floats(node.name + ".bias", node.bias, dims)});
  }

  std::string max_pool(const Node& node, const std::string& x) {
    return b_.node("MaxPool", node.name, {x},
                   {{"kernel_shape", {node.kernel, node.kernel}},
                    {"pads", {node.pad, node.pad, node.pad, node.pad}},
                    {"strides", {node.stride, node.stride}}});
  }

  std::string subsample_pad(const Node& node, std::string x) {
    if (node.stride > 1) {
      constexpr int64_t kEnd = std::numeric_limits<int32_t>::max();
      x = b_.node(
          "Slice", node.name,
          {x, b_.int64s(node.name + ".starts", {0, 0}), b_.int64s(node.name + ".ends", {kEnd, kEnd}),
           b_.int64s(node.name + ".axes", {2, 3}), b_.int64s(node.name + ".steps", {node.stride, node.stride})});
    }
    if (node.extra == 0) return x;
    return b_.node("Pad", node.name, {x, b_.int64s(node.name + ".pads", {0, node.extra, 0, 0, 0, node.extra, 0, 0})});
  }

  std::string global_average(const Node& node, const OnnxValue& x) {
    if (options_.dialect != OnnxDialect::exact) return b_.node("GlobalAveragePool", node.name, {x.name});
    const std::string sum =
        b_.node("ReduceSum", node.name, {x.name, b_.int64s(node.name + ".axes", {2, 3})}, {attribute("keepdims", 1)});
    const float part = 1.0f / static_cast<float>(x.shape.height * x.shape.width);
    return b_.node("Mul", node.name, {sum, b_.scalar(node.name + ".part", part)});
  }

  /// The last value as {N,classes}, under the output's name.
  void finish() {
    const OnnxValue last = flat(values_.back(), "logits");
    if (b_.file.nodes.empty() || b_.file.nodes.back().output != last.name) {
      b_.node("Identity", "logits", {last.name});
    }
    b_.file.nodes.back().output = b_.file.output;
  }

  void describe() {
    const auto note = [&](const std::string& key, const std::string& value) {
      b_.file.metadata.emplace_back("ntq." + key, value);
    };
    const auto model = graph_.notes.find("model");
    b_.file.graph_name = model == graph_.notes.end() ? "ntq" : model->second;
    note("dialect", onnx_dialect_name(options_.dialect));
    const infer::Preprocessing& p = graph_.preprocessing;
    std::string means, deviations, names;
    for (size_t c = 0; c < static_cast<size_t>(graph_.image.channels); ++c) {
      means += (c == 0 ? "" : ",") + text_of(p.mean[c]);
      deviations += (c == 0 ? "" : ",") + text_of(p.deviation[c]);
    }
    note("mean", means);
    note("std", deviations);
    note("crop", p.crop);
    if (p.fast_decode) note("fast_decode", "true");
    for (const auto& name : graph_.classes) names += printable(name) + "\n";  // a line each, whatever they are
    if (!names.empty()) note("classes", names);
    for (const auto& [key, value] : graph_.notes) {
      const bool taken = std::any_of(b_.file.metadata.begin(), b_.file.metadata.end(),
                                     [&, name = "ntq." + key](const auto& entry) { return entry.first == name; });
      if (!taken) note(key, value);
    }
  }

  const infer::Graph& graph_;
  const OnnxOptions& options_;
  std::vector<MapShape> shapes_;
  OnnxBuilder b_;
  OnnxValue image_;
  std::vector<OnnxValue> values_;
};

}  // namespace

OnnxFile onnx_file(const infer::Graph& graph, const OnnxOptions& options) {
  return GraphWriter(graph, options).write();
}

std::string onnx_bytes(const infer::Graph& graph, const OnnxOptions& options) {
  return serialize(onnx_file(graph, options));
}

const char* onnx_dialect_name(OnnxDialect dialect) {
  switch (dialect) {
    case OnnxDialect::plain: return "plain";
    case OnnxDialect::exact: return "exact";
    case OnnxDialect::ort: return "ort";
    case OnnxDialect::trt: return "trt";
  }
  return "?";
}

OnnxDialect parse_onnx_dialect(const std::string& name) {
  for (const auto dialect : {OnnxDialect::plain, OnnxDialect::exact, OnnxDialect::ort, OnnxDialect::trt}) {
    if (name == onnx_dialect_name(dialect)) return dialect;
  }
  check(false, "--dialect: expected plain, exact, ort or trt, found ", name);
  return {};
}

OnnxWeights parse_onnx_weights(const std::string& name) {
  if (name == "int4") return OnnxWeights::int4;
  if (name == "int2") return OnnxWeights::int2;
  check(name == "int8", "--weight-type: expected int8, int4 or int2, found ", name);
  return OnnxWeights::int8;
}

}  // namespace ntq
