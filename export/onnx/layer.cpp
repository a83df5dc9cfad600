#include <cmath>
#include <limits>

#include "export/onnx/weights.h"
#include "export/onnx/writer.h"

namespace ntq {
namespace {

using infer::MapShape;
using infer::Node;
using infer::Op;

bool is_conv(const Node& node) { return node.op == Op::conv; }

std::vector<OnnxAttribute> window(const Node& node) {
  return {{"kernel_shape", {node.weights.kernel_h, node.weights.kernel_w}},
          {"pads", {node.pad, node.pad, node.pad, node.pad}},
          {"strides", {node.stride, node.stride}}};
}

/// {C} in the shape that is added to the layer's output.
std::vector<int64_t> channel_dims(const Node& node) {
  if (is_conv(node)) return {1, node.weights.out, 1, 1};
  return {node.weights.out};
}

OnnxAttribute cast_to(OnnxType type) { return attribute("to", static_cast<int64_t>(type)); }

/// Codes as int8. Of narrower ones, runtimes fold the cast, and what their halves need, at load, and then see int8, for
/// which they have kernels.
std::string weights_as_bytes(OnnxBuilder& b, const Node& node, const std::vector<int8_t>& codes, OnnxType type) {
  const std::string name = node.name + ".weight";
  std::string stored = b.raw(name, type, onnx_weight_dims(node), pack(codes, type));
  if (type == OnnxType::i8) return stored;
  if (node.weights.halves != 0) {
    stored = b.node("Cast", name, {stored}, {cast_to(OnnxType::i32)});
    stored = b.node("Mul", name, {stored, b.int32s(name + ".two", {2}, {})});
    stored = b.node("Add", name, {stored, b.int32s(name + ".halves", {node.weights.halves}, {})});
  }
  return b.node("Cast", name, {stored}, {cast_to(OnnxType::i8)});
}

/// float32 weights: a constant, or codes and their scales.
std::string weights_as_floats(OnnxBuilder& b, const Node& node, const MapShape& x, double unit, bool scaled,
                              const OnnxCodes* codes) {
  if (codes == nullptr) {
    return b.floats(node.name + ".weight", onnx_values(node, x, unit, scaled), onnx_weight_dims(node));
  }
  const std::string stored = weights_as_bytes(b, node, codes->codes, codes->type);
  const std::string scales = b.floats(node.name + ".weight_scale", codes->scales, {node.weights.out});
  return b.node("DequantizeLinear", node.name + ".weight", {stored, scales}, {attribute("axis", 0)});
}

/// In units of input step x weight scale, as ONNX Runtime's kernels take it; "" where int32 cannot hold one.
std::string bias_as_int32(OnnxBuilder& b, const Node& node, double unit, const OnnxCodes& codes) {
  std::vector<int32_t> biases;
  std::vector<float> scales;
  for (size_t c = 0; c < node.bias.size(); ++c) {
    scales.push_back(static_cast<float>(unit) * codes.scales[c]);
    const double count = std::nearbyint(node.bias[c] / static_cast<double>(scales[c]));
    if (!(std::abs(count) <= std::numeric_limits<int32_t>::max())) return "";
    biases.push_back(static_cast<int32_t>(count));
  }
  const std::string stored = b.int32s(node.name + ".bias", biases, {node.weights.out});
  const std::string scale = b.floats(node.name + ".bias_scale", scales, {node.weights.out});
  return b.node("DequantizeLinear", node.name + ".bias", {stored, scale}, {attribute("axis", 0)});
}

/// A filter of ones over all of the input's channels: int8 {1,...}.
std::string ones(OnnxBuilder& b, const Node& node) {
  std::vector<int64_t> dims = onnx_weight_dims(node);
  dims[0] = 1;
  return b.raw(node.name + ".ones", OnnxType::i8, dims, std::string(static_cast<size_t>(node.weights.taps()), '\1'));
}

/// What the weights of a channel have in common, `beside` times its scale: a convolution by ones for all channels.
std::string common_part(OnnxBuilder& b, const OnnxLayer& layer, const OnnxInput& in) {
  const Node& node = layer.node;
  const std::string scale = b.floats(node.name + ".one", {1}, {1});
  const std::string filter =
      b.node("DequantizeLinear", node.name + ".ones", {ones(b, node), scale}, {attribute("axis", 0)});
  const std::string sum = is_conv(node)
                              ? b.node("Conv", node.name + ".ones", {in.values, filter}, window(node))
                              : b.node("Gemm", node.name + ".ones", {in.values, filter}, {attribute("transB", 1)});
  std::vector<float> factors;
  for (const float s : node.scale)
    factors.push_back(static_cast<float>(static_cast<double>(s) * layer.beside / in.unit));
  return b.node("Mul", node.name + ".ones", {sum, b.floats(node.name + ".ones_scale", factors, channel_dims(node))});
}

/// Scales in the weights: one operator that runtimes fuse with what stands around it.
std::string fused_form(OnnxBuilder& b, const Node& given, const OnnxValue& x, const OnnxOptions& options) {
  const OnnxInput in = layer_input(b, given, x.name, x.flat ? 2 : 4, options.dialect);
  const OnnxLayer layer = onnx_layer(given, options.weights);
  Node node = layer.node;
  for (float& scale : node.scale) scale *= static_cast<float>(layer.factor);
  const bool coded = node.weights.bits != 32 && node.weights.levels.empty();
  const bool ort = options.dialect == OnnxDialect::ort && coded && node.is_integer();
  OnnxCodes codes;
  if (coded) {
    const OnnxType type = stored_type(node, options.weights);
    const bool spread = type == OnnxType::i8 && options.dialect != OnnxDialect::trt && node.is_integer();
    codes = onnx_codes(node, x.shape, in.unit, type, spread);
  }
  const std::string weights = weights_as_floats(b, node, x.shape, in.unit, true, coded ? &codes : nullptr);
  std::string bias = ort ? bias_as_int32(b, node, in.unit, codes) : "";
  if (bias.empty()) bias = b.floats(node.name + ".bias", node.bias, {node.weights.out});
  const std::string y = is_conv(node) ? b.node("Conv", node.name, {in.values, weights, bias}, window(node))
                                      : b.node("Gemm", node.name, {in.values, weights, bias}, {attribute("transB", 1)});
  return layer.beside == 0 ? y : b.node("Add", node.name, {y, common_part(b, layer, in)});
}

/// bias + W * offset_scale for each pixel, W the sum of the weights over the taps inside the image: {1,Cout,H,W}.
std::vector<float> biases_at_pixels(const Node& node, const MapShape& x, const MapShape& out) {
  std::vector<float> w = onnx_values(node, x, 1, false), biases;
  const int64_t kh = node.weights.kernel_h, kw = node.weights.kernel_w, in = node.weights.in;
  for (int64_t o = 0; o < out.channels; ++o) {
    for (int64_t row = 0; row < out.height; ++row) {
      for (int64_t column = 0; column < out.width; ++column) {
        double sum = 0;
        for (int64_t i = 0; i < kh; ++i) {
          const int64_t y = row * node.stride + i - node.pad;
          for (int64_t j = 0; j < kw && is_conv(node); ++j) {
            const int64_t z = column * node.stride + j - node.pad;
            if (y < 0 || y >= x.height || z < 0 || z >= x.width) continue;
            for (int64_t c = 0; c < in; ++c) sum += w[static_cast<size_t>(((o * in + c) * kh + i) * kw + j)];
          }
          for (int64_t c = 0; c < in && !is_conv(node); ++c) sum += w[static_cast<size_t>(o * in + c)];
        }
        const auto channel = static_cast<size_t>(o);
        biases.push_back(static_cast<float>(node.bias[channel] + sum * node.offset_scale[channel]));
      }
    }
  }
  return biases;
}

/// Sums of what codes and weights count, int32.
std::string integer_sum(OnnxBuilder& b, const OnnxLayer& layer, const OnnxValue& x, const OnnxInput& in,
                        OnnxWeights narrowest) {
  const Node& node = layer.node;
  const std::string zero = b.byte(node.name + ".zero_point", OnnxType::u8, in.zero_point);
  const auto sum_with = [&](const std::string& name, std::string weights) {
    if (is_conv(node)) return b.node("ConvInteger", name, {in.codes, weights, zero}, window(node));
    weights = b.node("Transpose", name + ".weight", {weights}, {{"perm", {1, 0}}});
    return b.node("MatMulInteger", name, {in.codes, weights, zero});
  };
  std::string sum =
      sum_with(node.name, weights_as_bytes(b, node, onnx_plain_codes(node, x.shape), stored_type(node, narrowest)));
  if (layer.beside == 0) return sum;
  const std::string name = node.name + ".ones";
  sum = b.node("Mul", node.name + ".sum", {sum, b.int32s(name + ".factor", {layer.factor}, {})});
  const std::string common =
      b.node("Mul", name, {sum_with(name, ones(b, node)), b.int32s(name + ".halves", {layer.beside}, {})});
  return b.node("Add", node.name + ".sum", {sum, common});
}

/// The order of infer/graph.h: a sum of codes, then the scale, then the bias.
std::string exact_form(OnnxBuilder& b, const Node& node, const OnnxValue& x, const MapShape& out,
                       const OnnxOptions& options) {
  const OnnxInput in = layer_input(b, node, x.name, x.flat ? 2 : 4, options.dialect);
  const bool conv = is_conv(node);
  std::string sum;
  if (node.is_integer()) {
    sum = integer_sum(b, onnx_layer(node, options.weights), x, in, options.weights);
    sum = b.node("Cast", node.name, {sum}, {cast_to(OnnxType::f32)});
  } else {
    const std::string weights = weights_as_floats(b, node, x.shape, 1, false, nullptr);
    std::vector<std::string> inputs = {in.values, weights};
    sum = conv ? b.node("Conv", node.name, inputs, window(node))
               : b.node("Gemm", node.name, inputs, {attribute("transB", 1)});
  }
  const auto dims = channel_dims(node);
  const std::string scaled = b.node("Mul", node.name, {sum, b.floats(node.name + ".scale", node.scale, dims)});
  const std::string bias = node.offset_scale.empty()
                               ? b.floats(node.name + ".bias", node.bias, dims)
                               : b.floats(node.name + ".bias", biases_at_pixels(node, x.shape, out),
                                          conv ? std::vector<int64_t>{1, out.channels, out.height, out.width} : dims);
  return b.node("Add", node.name, {scaled, bias});
}

}  // namespace

std::string layer_output(OnnxBuilder& b, const Node& node, const OnnxValue& x, const MapShape& out,
                         const OnnxOptions& options) {
  return options.dialect == OnnxDialect::exact ? exact_form(b, node, x, out, options) : fused_form(b, node, x, options);
}

}  // namespace ntq
