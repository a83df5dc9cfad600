#include "export/onnx/weights.h"

#include <algorithm>
#include <cmath>

namespace ntq {
namespace {

int bits_of(OnnxType type) { return type == OnnxType::int2 ? 2 : type == OnnxType::int4 ? 4 : 8; }

/// {Cout,Kh,Kw,Cin} -> {Cout,Cin,Kh,Kw}; a linear layer is a convolution by a filter of its input's size.
template <class T>
std::vector<T> channels_first(const std::vector<T>& from, const infer::Node& node, const infer::MapShape& input) {
  const bool conv = node.op == infer::Op::conv;
  const int64_t pixels = conv ? node.weights.kernel_h * node.weights.kernel_w : input.height * input.width;
  const int64_t channels = conv ? node.weights.in : input.channels;
  std::vector<T> to(from.size());
  for (int64_t o = 0; o < node.weights.out; ++o) {
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        to[static_cast<size_t>((o * channels + c) * pixels + p)] =
            from[static_cast<size_t>((o * pixels + p) * channels + c)];
      }
    }
  }
  return to;
}

/// What each weight counts in the sum: its value, its level or its code.
std::vector<float> counted(const infer::Weights& w) {
  if (w.bits == 32) return w.values;
  std::vector<float> values(w.codes.size());
  const auto table = static_cast<size_t>(1 << w.bits), taps = static_cast<size_t>(w.taps());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto index = static_cast<size_t>(w.codes[i] + static_cast<int>(table / 2));
    const size_t row = w.levels.size() > table ? i / taps * table : 0;
    values[i] = w.levels.empty() ? static_cast<float>(w.count(w.codes[i])) : w.levels[row + index];
  }
  return values;
}

/// A channel whose codes do not count: the bias is 2^20 of its unit.
float scale_of_nothing(float bias, double unit) {
  const auto scale = static_cast<float>(std::abs(static_cast<double>(bias)) / unit / (1 << 20));
  return std::isnormal(scale) ? scale : 1.0f;
}

}  // namespace

OnnxType stored_type(int bits, OnnxWeights narrowest) {
  if (bits <= 2 && narrowest == OnnxWeights::int2) return OnnxType::int2;
  if (bits <= 4 && narrowest != OnnxWeights::int8) return OnnxType::int4;
  return OnnxType::i8;
}

OnnxType stored_type(const infer::Node& node, OnnxWeights narrowest) {
  constexpr float kNothing = 1e-30f;
  const bool dead = std::any_of(node.scale.begin(), node.scale.end(), [](float s) { return std::abs(s) < kNothing; });
  return stored_type(dead && node.weights.halves != 0 ? 8 : node.weights.bits, narrowest);
}

OnnxLayer onnx_layer(infer::Node node, OnnxWeights narrowest) {
  OnnxLayer out{.node = std::move(node)};
  infer::Weights& w = out.node.weights;
  if (w.halves == 0 || stored_type(out.node, narrowest) != OnnxType::i8) return out;
  const auto [low, high] = std::minmax_element(w.codes.begin(), w.codes.end());
  if (w.count(*low) >= -128 && w.count(*high) <= 127) {
    for (int8_t& code : w.codes) code = static_cast<int8_t>(w.count(code));
    w.bits = 8;
  } else {
    out.factor = 2, out.beside = w.halves;
  }
  w.halves = 0;
  return out;
}

OnnxCodes onnx_codes(const infer::Node& node, const infer::MapShape& input, double unit, OnnxType type, bool spread) {
  OnnxCodes out{.type = type, .codes = onnx_plain_codes(node, input), .scales = {}};
  const int least = -(1 << (bits_of(type) - 1)), halves = node.weights.halves;
  int factor = 1;
  if (spread) {
    const int low = *std::min_element(out.codes.begin(), out.codes.end());
    const int high = *std::max_element(out.codes.begin(), out.codes.end());
    while (low != high && 2 * factor * std::max(-low, high) < -least) factor *= 2;
  }
  const auto taps = static_cast<size_t>(node.weights.taps());
  for (size_t channel = 0; channel < node.scale.size(); ++channel) {
    const auto begin = out.codes.begin() + static_cast<std::ptrdiff_t>(channel * taps);
    const auto end = begin + static_cast<std::ptrdiff_t>(taps);
    auto scale = static_cast<float>(node.scale[channel] / unit / factor);
    if (!std::isnormal(scale)) {
      std::fill(begin, end, int8_t{0});
      scale = scale_of_nothing(node.bias[channel], unit);
    }
    const auto [low, high] = std::minmax_element(begin, end);
    const bool turned = scale < 0 && -*low * factor - halves < -least && -*high * factor - halves >= least;
    if (turned) scale = -scale;
    for (auto code = begin; code != end; ++code)
      *code = static_cast<int8_t>(turned ? -*code * factor - halves : *code * factor);
    out.scales.push_back(scale);
  }
  return out;
}

std::vector<float> onnx_values(const infer::Node& node, const infer::MapShape& input, double unit, bool scaled) {
  std::vector<float> values = counted(node.weights);
  const auto taps = static_cast<size_t>(node.weights.taps());
  for (size_t i = 0; scaled && i < values.size(); ++i) {
    values[i] = static_cast<float>(static_cast<double>(values[i]) * node.scale[i / taps] / unit);
  }
  return channels_first(values, node, input);
}

std::vector<int8_t> onnx_plain_codes(const infer::Node& node, const infer::MapShape& input) {
  return channels_first(node.weights.codes, node, input);
}

std::vector<int64_t> onnx_weight_dims(const infer::Node& node) {
  const infer::Weights& w = node.weights;
  if (node.op == infer::Op::linear) return {w.out, w.in};
  return {w.out, w.in, w.kernel_h, w.kernel_w};
}

std::string pack(const std::vector<int8_t>& codes, OnnxType type) {
  const int bits = bits_of(type), mask = (1 << bits) - 1;
  std::string bytes((codes.size() * static_cast<size_t>(bits) + 7) / 8, '\0');
  for (size_t i = 0; i < codes.size(); ++i) {
    const size_t bit = i * static_cast<size_t>(bits);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] | (codes[i] & mask) << bit % 8);
  }
  return bytes;
}

}  // namespace ntq
