// Weights as the kernels read them.
#include <algorithm>

#include "base/ceil_div.h"
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

/// The same sums as integer::sums_inside() of weights that are no codes: one after the other, as the definition has
/// them, a panel of channels at a time.
std::vector<double> float_sums_inside(const Weights& w, const integer::ConvShape& shape, int64_t channels) {
  constexpr int64_t kPanel = integer::kPanel;
  const int64_t depth = w.size() / w.out, width = round_up(shape.out_c, kPanel), row_depth = shape.kernel_w * channels;
  const auto rows = runs_of(shape.rows()), columns = runs_of(shape.columns());
  std::vector<double> out(rows.size() * columns.size() * static_cast<size_t>(width)),
      values(static_cast<size_t>(depth * kPanel));  // {kernel_h, kernel_w, channels, kPanel}
  for (int64_t panel = 0; panel < w.out; panel += kPanel) {
    for (int64_t o = 0; o < std::min(kPanel, w.out - panel); ++o) {
      double* to = values.data() + o;
      for (int64_t i = 0; i < depth; ++i)
        to[i * kPanel] = static_cast<double>(weight_value(w, (panel + o) * depth + i));
    }
    double* to = out.data() + panel;
    for (const integer::TapRun& row : rows) {
      for (const integer::TapRun& column : columns) {
        double sums[kPanel] = {};
        for (int64_t kh = row.first; kh < row.last; ++kh) {
          const double* value = values.data() + (kh * row_depth + column.first * channels) * kPanel;
          for (int64_t i = (column.last - column.first) * channels; i > 0; --i, value += kPanel) {
            for (int64_t o = 0; o < kPanel; ++o) sums[o] += value[o];
          }
        }
        std::copy_n(sums, kPanel, to);
        to += width;
      }
    }
  }
  return out;
}

/// The bias, with what an offset of the inputs does, for each set of taps inside: {runs of rows, runs of columns, out_c
/// in whole panels}.
std::vector<float> shifts_by_taps(const Node& node, const integer::ConvShape& shape, int64_t channels) {
  const Weights& w = node.weights;
  const auto width = static_cast<size_t>(round_up(shape.out_c, integer::kPanel));
  const auto shifts = [&](const auto& sums) {
    std::vector<float> out(sums.size());
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t o = i % width;
      if (o >= node.bias.size()) continue;
      const auto bias = static_cast<double>(node.bias[o]), scale = static_cast<double>(node.offset_scale[o]);
      out[i] = static_cast<float>(bias + static_cast<double>(sums[i]) * scale);
    }
    return out;
  };
  if (w.bits == 32 || !w.levels.empty()) return shifts(float_sums_inside(w, shape, channels));
  auto sums = integer::sums_inside(shape, w.codes, w.out, channels);
  if (w.halves != 0) {
    auto sum = sums.begin();
    for (const integer::TapRun& row : runs_of(shape.rows())) {
      for (const integer::TapRun& column : runs_of(shape.columns())) {
        const int64_t codes = (row.last - row.first) * (column.last - column.first) * channels;
        for (size_t o = 0; o < width; ++o, ++sum) *sum = 2 * *sum + static_cast<int32_t>(w.halves * codes);
      }
    }
  }
  return shifts(sums);
}

template <class Layer>
void set_epilogue(Layer& layer, const Node& node, int64_t channels) {
  layer.scale = to_panels(node.scale);
  layer.shift_by_taps = !node.offset_scale.empty();
  layer.shift = layer.shift_by_taps ? shifts_by_taps(node, layer.shape, channels) : to_panels(node.bias);
}

}  // namespace

int64_t stored_channels(int64_t channels) { return round_up(channels, integer::kQuad); }

double preparation(const Node& node, const MapShape& in, const MapShape& out) {
  const integer::ConvShape s = shape_of(node, in, out);
  const auto width = static_cast<double>(round_up(s.out_c, integer::kPanel));
  const auto taps = static_cast<double>(s.kernel_h * s.kernel_w);
  const bool codes = node.is_integer(), offset = !node.offset_scale.empty();
  double sum = width * taps * static_cast<double>(s.in_c) * (codes ? 1 : sizeof(float));
  if (!offset && !(codes && node.codes.low != 0)) return sum;
  const auto rows = runs_of(s.rows()), columns = runs_of(s.columns());
  const double table = width * static_cast<double>(rows.size() * columns.size()) * sizeof(float);
  sum += table + width * taps * sizeof(float);
  if (codes) return sum;
  const auto inside = [](const std::vector<integer::TapRun>& runs) {
    double all = 0;
    for (const integer::TapRun& run : runs) all += static_cast<double>(run.last - run.first);
    return all;
  };
  return sum + inside(rows) * inside(columns) * static_cast<double>(in.channels) * width;
}

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
  set_epilogue(layer, node, in.channels);
  if (!whole) counted = filled_up(*codes, layer.shape, in.channels), codes = &counted;
  layer.packed = integer::pack(layer.shape, layer.bounds, *codes, layer.shift_by_taps);
  if (layer.packed.winograd && integer::prefers_direct(layer.shape, layer.shape.out_h * layer.shape.out_w))
    layer.few = integer::pack_direct(layer.shape, layer.bounds, *codes);
  return layer;
}

FloatLayer float_layer(const Node& node, const MapShape& in, const MapShape& out) {
  FloatLayer layer;
  layer.shape = shape_of(node, in, out);
  layer.channels = in.channels;
  std::vector<float> values(static_cast<size_t>(node.weights.size()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = weight_value(node.weights, static_cast<int64_t>(i));
  layer.weights = integer::pack_floats(layer.shape, in.channels, values);
  set_epilogue(layer, node, in.channels);
  return layer;
}

}  // namespace ntq::infer
