#pragma once
// What infer/graph.h says that a graph computes, in plain loops on one image.
#include <cmath>

#include "infer/graph.h"

namespace ntq::test {

/// {H,W,C} of a node or the image.
struct NaiveValue {
  infer::MapShape shape;
  std::vector<float> v;
  float at(int64_t y, int64_t x, int64_t c) const {
    return v[static_cast<size_t>((y * shape.width + x) * shape.channels + c)];
  }
};

inline int naive_code(const infer::InputCodes& c, float x) {
  if (!c.thresholds.empty()) {
    int code = c.low;
    for (const float t : c.thresholds) code += t <= x;
    return code;
  }
  const float moved = c.offset != 0 ? x - c.offset : x;
  const double code = std::nearbyint(static_cast<double>(moved / c.step));
  return code > c.low ? static_cast<int>(std::fmin(code, c.high)) : c.low;
}

inline float naive_weight(const infer::Weights& w, int64_t i) {
  if (w.bits == 32) return w.values[static_cast<size_t>(i)];
  const int code = w.codes[static_cast<size_t>(i)];
  if (w.levels.empty()) return static_cast<float>(code);
  const int64_t table = 1 << w.bits, row = static_cast<int64_t>(w.levels.size()) == table ? 0 : i / w.taps();
  return w.levels[static_cast<size_t>(row * table + code + table / 2)];
}

inline NaiveValue naive_layer(const infer::Node& n, NaiveValue x, const NaiveValue* skip,
                              const infer::MapShape& shape) {
  if (n.op == infer::Op::linear) x.shape = {1, 1, x.shape.size()};
  NaiveValue out{shape, {}};
  const infer::Weights& w = n.weights;
  for (int64_t i = 0; i < shape.height; ++i) {
    for (int64_t j = 0; j < shape.width; ++j) {
      for (int64_t o = 0; o < w.out; ++o) {
        int64_t exact = 0, index = o * w.taps();
        float sum = 0;
        double weights = 0;
        for (int64_t ky = 0; ky < w.kernel_h; ++ky) {
          for (int64_t kx = 0; kx < w.kernel_w; ++kx) {
            const int64_t row = i * n.stride - n.pad + ky, column = j * n.stride - n.pad + kx;
            const bool inside = row >= 0 && row < x.shape.height && column >= 0 && column < x.shape.width;
            for (int64_t c = 0; c < w.in; ++c, ++index) {
              if (!inside) continue;
              const float value = x.at(row, column, c);
              const int code = n.codes.present() ? naive_code(n.codes, value) : 0;
              float a = n.codes.present() ? static_cast<float>(code) : value;
              if (!n.codes.levels.empty()) a = n.codes.levels[static_cast<size_t>(code - n.codes.low)];
              if (n.is_integer()) exact += code * w.codes[static_cast<size_t>(index)];
              const float product = a * naive_weight(w, index);
              sum = sum + product;
              weights += static_cast<double>(naive_weight(w, index));
            }
          }
        }
        const auto at = static_cast<size_t>(o);
        float bias = n.bias[at];
        if (!n.offset_scale.empty())
          bias = static_cast<float>(static_cast<double>(bias) + weights * static_cast<double>(n.offset_scale[at]));
        const float scaled = (n.is_integer() ? static_cast<float>(exact) : sum) * n.scale[at];
        float y = scaled + bias;
        if (skip != nullptr) y = y + skip->at(i, j, o);
        out.v.push_back(n.relu && !(y > 0) ? 0 : y);
      }
    }
  }
  return out;
}

inline NaiveValue naive_node(const infer::Node& n, const NaiveValue& x, const NaiveValue* second,
                             const infer::MapShape& shape) {
  using infer::Op;
  if (n.has_weights()) return naive_layer(n, x, second, shape);
  NaiveValue out{shape, {}};
  for (int64_t i = 0; i < shape.height; ++i) {
    for (int64_t j = 0; j < shape.width; ++j) {
      for (int64_t c = 0; c < shape.channels; ++c) {
        float y = 0;
        if (n.op == Op::affine) {
          const float scaled = x.at(i, j, c) * n.scale[static_cast<size_t>(c)];
          y = scaled + n.bias[static_cast<size_t>(c)];
        } else if (n.op == Op::add) {
          y = x.at(i, j, c) + second->at(i, j, c);
        } else if (n.op == Op::relu) {
          y = x.at(i, j, c) > 0 ? x.at(i, j, c) : 0;
        } else if (n.op == Op::subsample_pad) {
          const int64_t from = c - n.extra;
          y = from >= 0 && from < x.shape.channels ? x.at(i * n.stride, j * n.stride, from) : 0;
        } else if (n.op == Op::max_pool) {
          y = -INFINITY;
          for (int64_t row = i * n.stride - n.pad; row < i * n.stride - n.pad + n.kernel; ++row) {
            for (int64_t column = j * n.stride - n.pad; column < j * n.stride - n.pad + n.kernel; ++column) {
              const bool inside = row >= 0 && row < x.shape.height && column >= 0 && column < x.shape.width;
              if (inside) y = std::fmax(y, x.at(row, column, c));
            }
          }
        } else {
          for (int64_t p = 0; p < x.shape.height * x.shape.width; ++p) y = y + x.at(0, p, c);
          y = y * (1.0f / static_cast<float>(x.shape.height * x.shape.width));
        }
        out.v.push_back(n.relu && !(y > 0) ? 0 : y);
      }
    }
  }
  return out;
}

/// The logits of one image of bytes.
inline std::vector<float> naive_logits(const infer::Graph& g, const uint8_t* image) {
  const auto shapes = infer::check_graph(g, "naive");
  std::vector<NaiveValue> values(1 + g.nodes.size());
  values[0].shape = g.image;
  for (int64_t i = 0; i < g.image.size(); ++i) {
    const auto c = static_cast<size_t>(i % g.image.channels);
    const float mean = g.preprocessing.mean[c], deviation = g.preprocessing.deviation[c], v = image[i];
    const float scaled = v * (1 / (255 * deviation));
    values[0].v.push_back(g.preprocessing.crop == "whole" ? (v / 255.0f - mean) / deviation
                                                          : scaled + -mean / deviation);
  }
  for (size_t n = 0; n < g.nodes.size(); ++n) {
    const infer::Node& node = g.nodes[n];
    const NaiveValue* second = node.inputs.size() > 1 ? &values[static_cast<size_t>(node.inputs[1] + 1)] : nullptr;
    values[n + 1] = naive_node(node, values[static_cast<size_t>(node.inputs[0] + 1)], second, shapes[n]);
  }
  return values.back().v;
}

}  // namespace ntq::test
