// Weights as the kernels read them.
#include <algorithm>

#include "base/ceil_div.h"
#include "infer/kernels/kernels.h"
#include "infer/plan.h"

namespace ntq::infer {
namespace {

/// A linear layer is a convolution by the whole of its input.
integer::ConvShape shape_of(const Node& node, const MapShape& in, const MapShape& out) {
  const bool whole = node.op == Op::linear;
  return {.in_h = in.height,
          .in_w = in.width,
          .in_c = stored_channels(in.channels),
          .out_h = out.height,
          .out_w = out.width,
          .out_c = stored_channels(out.channels),
          .kernel_h = whole ? in.height : node.weights.kernel_h,
          .kernel_w = whole ? in.width : node.weights.kernel_w,
          .stride = whole ? 1 : node.stride,
          .pad = whole ? 0 : node.pad};
}

/// Codes {out, taps, channels} with the channels in memory, zeros in those that fill up.
std::vector<int8_t> filled_up(const std::vector<int8_t>& codes, const integer::ConvShape& shape, int64_t channels) {
  std::vector<int8_t> out(static_cast<size_t>(shape.out_c * shape.kernel_h * shape.kernel_w * shape.in_c));
  const auto rows = static_cast<int64_t>(codes.size()) / channels;
  for (int64_t r = 0; r < rows; ++r) std::copy_n(codes.data() + r * channels, channels, out.data() + r * shape.in_c);
  return out;
}

int32_t largest(const std::vector<int8_t>& codes) {
  uint8_t top = 0;  // of bytes: compilers make vectors of it
  for (const int8_t code : codes) top = std::max(top, static_cast<uint8_t>(code < 0 ? -code : code));
  return top;
}

/// What the codes count, where bytes hold that; else nothing.
std::vector<int8_t> counts(const Weights& w) {
  std::vector<int8_t> out;
  const auto [low, high] = std::minmax_element(w.codes.begin(), w.codes.end());
  if (w.count(*low) < -128 || w.count(*high) > 127) return out;
  out.resize(w.codes.size());
  std::transform(w.codes.begin(), w.codes.end(), out.begin(),
                 [&](int8_t code) { return static_cast<int8_t>(w.count(code)); });
  return out;
}

/// Of the float value that a float layer multiplies by.
float weight_value(const Weights& w, int64_t i) {
  const auto at = static_cast<size_t>(i);
  if (w.bits == 32) return w.values[at];
  if (w.levels.empty()) return static_cast<float>(w.count(w.codes[at]));
  const auto table = size_t{1} << w.bits;
  const size_t row = w.levels.size() == table ? 0 : at / static_cast<size_t>(w.size() / w.out);
  return w.levels[row * table + static_cast<size_t>(w.codes[at] + static_cast<int>(table / 2))];
}

std::vector<float> to_panels(std::vector<float> values) {
  values.resize(static_cast<size_t>(round_up(static_cast<int64_t>(values.size()), integer::kPanel)));
  return values;
}

/// The bias, with what an offset of the inputs does, for each set of taps inside: {runs of rows, runs of columns, out_c
/// in whole panels}.
std::vector<float> shifts_by_taps(const Node& node, const integer::ConvShape& shape, int64_t channels) {
  std::vector<float> out;
  const Weights& w = node.weights;
  const int64_t taps = shape.kernel_h * shape.kernel_w, width = round_up(shape.out_c, integer::kPanel);
  const integer::Axis rows = shape.rows(), columns = shape.columns();
  for (int64_t i = 0; i < shape.out_h; i = integer::run_at(rows, i).end) {
    for (int64_t j = 0; j < shape.out_w; j = integer::run_at(columns, j).end) {
      const auto row = integer::run_at(rows, i), column = integer::run_at(columns, j);
      for (int64_t o = 0; o < width; ++o) {
        double sum = 0;
        for (int64_t kh = row.first; o < w.out && kh < row.last; ++kh) {
          for (int64_t kw = column.first; kw < column.last; ++kw) {
            const int64_t first = (o * taps + kh * shape.kernel_w + kw) * channels;
            for (int64_t c = 0; c < channels; ++c) sum += static_cast<double>(weight_value(w, first + c));
          }
        }
        const auto at = static_cast<size_t>(o);
        const bool there = o < w.out;
        const double bias = there ? static_cast<double>(node.bias[at]) : 0;
        const double scale = there ? static_cast<double>(node.offset_scale[at]) : 0;
        out.push_back(static_cast<float>(bias + sum * scale));
      }
    }
  }
  return out;
}

template <class Layer>
void set_epilogue(Layer& layer, const Node& node, int64_t channels) {
  layer.scale = to_panels(node.scale);
  layer.shift_by_taps = !node.offset_scale.empty();
  layer.shift = layer.shift_by_taps ? shifts_by_taps(node, layer.shape, channels) : to_panels(node.bias);
}

}  // namespace

int64_t stored_channels(int64_t channels) { return round_up(channels, integer::kQuad); }

IntegerLayer integer_layer(const Node& node, const MapShape& in, const MapShape& out) {
  IntegerLayer layer;
  layer.shape = shape_of(node, in, out);
  const Weights& w = node.weights;
  const auto bounds_of = [&](const std::vector<int8_t>& codes) {
    return integer::CodeBounds{
        .zero = -node.codes.low, .x_top = node.codes.high - node.codes.low, .w_top = largest(codes)};
  };
  const std::vector<int8_t>* codes = &w.codes;
  layer.bounds = bounds_of(*codes);
  std::vector<int8_t> counted;
  // Winograd pays for sums over windows, which direct sums of what the codes count do without.
  if (w.halves != 0 && !integer::uses_winograd(layer.shape, layer.bounds)) counted = counts(w);
  if (!counted.empty()) {
    codes = &counted;
    layer.bounds = bounds_of(*codes);
  } else {
    layer.halves = w.halves;
  }
  const bool whole = in.channels == layer.shape.in_c && w.out == layer.shape.out_c;
  layer.packed = integer::pack(layer.shape, layer.bounds, whole ? *codes : filled_up(*codes, layer.shape, in.channels));
  set_epilogue(layer, node, in.channels);
  return layer;
}

FloatLayer float_layer(const Node& node, const MapShape& in, const MapShape& out) {
  FloatLayer layer{.shape = shape_of(node, in, out), .channels = in.channels, .weights = {}, .scale = {}, .shift = {}};
  const Weights& w = node.weights;
  const int64_t depth = w.size() / w.out, panels = ceil_div(w.out, kFloatPanel);
  layer.weights.resize(static_cast<size_t>(panels * depth * kFloatPanel));
  for (int64_t o = 0; o < w.out; ++o) {
    float* to = layer.weights.data() + o / kFloatPanel * depth * kFloatPanel + o % kFloatPanel;
    for (int64_t i = 0; i < depth; ++i) to[i * kFloatPanel] = weight_value(w, o * depth + i);
  }
  set_epilogue(layer, node, in.channels);
  return layer;
}

}  // namespace ntq::infer
