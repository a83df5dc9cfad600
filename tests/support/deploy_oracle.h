#pragma once
// The definition of a deploy graph's values (infer/graph.h) as plain loops: what infer/ computes is held against it. It
// shares no code with any library.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "infer/graph.h"

namespace ntq::test {

struct OracleValue {
  int64_t height = 1, width = 1, channels = 1;
  std::vector<float> values = {};
  float at(int64_t y, int64_t x, int64_t c) const {
    return values[static_cast<size_t>((y * width + x) * channels + c)];
  }
};

/// What each node gives for one image, and the codes that it makes of its input.
struct OracleRun {
  std::vector<OracleValue> outputs;
  std::vector<std::vector<int>> codes;
};

inline int oracle_code(const infer::InputCodes& codes, float x) {
  if (!codes.thresholds.empty()) {
    int code = codes.low;
    for (const float threshold : codes.thresholds) code += threshold <= x ? 1 : 0;
    return code;
  }
  if (std::isnan(x)) return codes.low;
  const float shifted = codes.offset == 0 ? x : x - codes.offset;
  const float place = shifted / codes.step;
  if (!(place > static_cast<float>(codes.low))) return codes.low;
  if (!(place < static_cast<float>(codes.high))) return codes.high;
  return static_cast<int>(std::nearbyint(place));
}

/// Convolution; a linear layer is one of a 1x1 image whose channels are the flattened input.
class OracleSum {
 public:
  OracleSum(const infer::Node& node, const OracleValue& x, const std::vector<int>& codes)
      : node_(node), x_(x), codes_(codes) {}

  float output(int64_t oy, int64_t ox, int64_t out) const {
    const infer::Weights& w = node_.weights;
    int64_t whole = 0;
    float real = 0;
    double weights = 0;
    for (int64_t ky = 0; ky < w.kernel_h; ++ky) {
      for (int64_t kx = 0; kx < w.kernel_w; ++kx) {
        const int64_t y = oy * node_.stride + ky - node_.pad, x = ox * node_.stride + kx - node_.pad;
        if (y < 0 || x < 0 || y >= x_.height || x >= x_.width) continue;
        for (int64_t in = 0; in < w.in; ++in) {
          const auto at = static_cast<size_t>(((out * w.kernel_h + ky) * w.kernel_w + kx) * w.in + in);
          const auto from = static_cast<size_t>((y * x_.width + x) * w.in + in);
          if (node_.is_integer()) {
            const int count = w.halves == 0 ? w.codes[at] : 2 * w.codes[at] + w.halves;
            whole += int64_t{codes_[from]} * count;
            weights += count;
          } else {
            real = std::fma(input(from), weight(at, out), real);
            weights += static_cast<double>(weight(at, out));
          }
        }
      }
    }
    const auto c = static_cast<size_t>(out);
    const float sum = node_.is_integer() ? static_cast<float>(static_cast<int32_t>(whole)) : real;
    float bias = node_.bias[c];
    if (!node_.offset_scale.empty())
      bias = static_cast<float>(static_cast<double>(bias) + weights * static_cast<double>(node_.offset_scale[c]));
    const float scaled = sum * node_.scale[c];
    return scaled + bias;
  }

 private:
  float input(size_t at) const {
    if (!node_.codes.present()) return x_.values[at];
    if (node_.codes.levels.empty()) return static_cast<float>(codes_[at]);
    return node_.codes.levels[static_cast<size_t>(codes_[at] - node_.codes.low)];
  }
  float weight(size_t at, int64_t out) const {
    const infer::Weights& w = node_.weights;
    if (w.bits == 32) return w.values[at];
    if (w.levels.empty()) return static_cast<float>(w.halves == 0 ? w.codes[at] : 2 * w.codes[at] + w.halves);
    const int64_t table = int64_t{1} << w.bits, tables = static_cast<int64_t>(w.levels.size()) / table;
    return w.levels[static_cast<size_t>((tables == 1 ? 0 : out * table) + w.codes[at] + table / 2)];
  }

  const infer::Node& node_;
  const OracleValue& x_;
  const std::vector<int>& codes_;
};

inline OracleValue oracle_max_pool(const infer::Node& node, const OracleValue& x) {
  OracleValue y{(x.height + 2 * node.pad - node.kernel) / node.stride + 1,
                (x.width + 2 * node.pad - node.kernel) / node.stride + 1, x.channels};
  for (int64_t oy = 0; oy < y.height; ++oy) {
    for (int64_t ox = 0; ox < y.width; ++ox) {
      for (int64_t c = 0; c < y.channels; ++c) {
        float most = -INFINITY;
        for (int64_t i = 0; i < node.kernel * node.kernel; ++i) {
          const int64_t iy = oy * node.stride + i / node.kernel - node.pad,
                        ix = ox * node.stride + i % node.kernel - node.pad;
          if (iy >= 0 && ix >= 0 && iy < x.height && ix < x.width) most = std::max(most, x.at(iy, ix, c));
        }
        y.values.push_back(most);
      }
    }
  }
  return y;
}

inline OracleValue oracle_output(const infer::Node& node, OracleValue x, const std::vector<int>& codes) {
  using infer::Op;
  if (node.op == Op::max_pool) return oracle_max_pool(node, x);
  OracleValue y{x.height, x.width, x.channels};
  if (node.op == Op::linear) x = {1, 1, static_cast<int64_t>(x.values.size()), x.values}, y = {};
  if (node.op == Op::conv) {
    y.height = (x.height + 2 * node.pad - node.weights.kernel_h) / node.stride + 1;
    y.width = (x.width + 2 * node.pad - node.weights.kernel_w) / node.stride + 1;
  }
  if (node.has_weights()) y.channels = node.weights.out;
  if (node.op == Op::subsample_pad)
    y = {(x.height - 1) / node.stride + 1, (x.width - 1) / node.stride + 1, x.channels + 2 * node.extra};
  if (node.op == Op::global_average) y.height = y.width = 1;
  for (int64_t oy = 0; oy < y.height; ++oy) {
    for (int64_t ox = 0; ox < y.width; ++ox) {
      for (int64_t c = 0; c < y.channels; ++c) {
        float value = 0;
        const auto at = static_cast<size_t>(c);
        if (node.has_weights()) value = OracleSum(node, x, codes).output(oy, ox, c);
        if (node.op == Op::affine) {
          const float scaled = x.at(oy, ox, c) * node.scale[at];
          value = scaled + node.bias[at];
        }
        if (node.op == Op::quantize) {
          const int code = codes[static_cast<size_t>((oy * y.width + ox) * y.channels + c)];
          value = node.codes.levels.empty() ? static_cast<float>(code) * node.codes.step
                                            : node.codes.levels[static_cast<size_t>(code - node.codes.low)];
        }
        if (node.op == Op::add || node.op == Op::relu) value = x.at(oy, ox, c);
        if (node.op == Op::subsample_pad && c >= node.extra && c < node.extra + x.channels)
          value = x.at(oy * node.stride, ox * node.stride, c - node.extra);
        if (node.op == Op::global_average) {
          for (int64_t i = 0; i < x.height * x.width; ++i) value = value + x.at(i / x.width, i % x.width, c);
          value = value * (1.0f / static_cast<float>(x.height * x.width));
        }
        y.values.push_back(value);
      }
    }
  }
  return y;
}

/// Of a normalised image {H,W,C}.
inline OracleRun oracle_run(const infer::Graph& graph, const std::vector<float>& image) {
  const OracleValue seen{graph.image.height, graph.image.width, graph.image.channels, image};
  OracleRun run;
  for (const infer::Node& node : graph.nodes) {
    const auto input = [&](size_t i) {
      return node.inputs[i] == infer::kImage ? seen : run.outputs[static_cast<size_t>(node.inputs[i])];
    };
    const OracleValue x = input(0);
    std::vector<int> codes;
    if (node.may_quantize() && node.codes.present()) {
      for (const float value : x.values) codes.push_back(oracle_code(node.codes, value));
    }
    OracleValue y = oracle_output(node, x, codes);
    if (node.inputs.size() == 2) {
      const OracleValue other = input(1);
      for (size_t i = 0; i < y.values.size(); ++i) y.values[i] = y.values[i] + other.values[i];
    }
    for (float& value : y.values) {
      if ((node.relu || node.op == infer::Op::relu) && !(value > 0)) value = 0;
    }
    run.outputs.push_back(std::move(y));
    run.codes.push_back(std::move(codes));
  }
  return run;
}

}  // namespace ntq::test
