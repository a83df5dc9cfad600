#include "export/codes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "base/check.h"

namespace ntq {
namespace {

using Floats = std::vector<float>;

/// value(i) = first + step * i for i = 0, 1, ...
struct Even {
  double first = 0, step = 0;
};

std::optional<Even> evenly_spaced(const float* levels, int64_t count) {
  const auto at = [&](int64_t i) { return static_cast<double>(levels[i]); };
  const Even line{at(0), (at(count - 1) - at(0)) / static_cast<double>(count - 1)};
  const double most = std::max(std::abs(at(0)), std::abs(at(count - 1)));
  for (int64_t i = 0; i < count; ++i) {  // as exact as float32 levels can say it
    if (std::abs(line.first + line.step * static_cast<double>(i) - at(i)) > 5e-7 * most) return std::nullopt;
  }
  if (!(line.step > 0)) return std::nullopt;
  return line;
}

struct Range {
  int low, high;
  int count() const { return high - low + 1; }
};

Range whole(QuantRange range) {
  return {static_cast<int>(std::lround(range.low)), static_cast<int>(std::lround(range.high))};
}

/// The grid's tables {count} for all or for each of `channels`; of steps and offset as decode() computes them.
std::vector<Floats> tables_of(const CodeGrid& grid, int64_t channels) {
  const auto [low, high] = whole(grid.range);
  std::vector<Floats> out;
  if (grid.levels) {
    const Floats all = grid.levels.to_vector();
    const auto count = static_cast<ptrdiff_t>(high - low + 1);
    for (auto at = all.begin(); at != all.end(); at += count) out.emplace_back(at, at + count);
    return out;
  }
  const float offset = grid.offset ? grid.offset.item() : 0.0f;
  for (const float step : grid.step.to_vector()) {
    Floats table;
    for (int code = low; code <= high; ++code) table.push_back(step * static_cast<float>(code) + offset);
    out.push_back(std::move(table));
  }
  check(out.size() == 1 || static_cast<int64_t>(out.size()) == channels, "lower: ", out.size(), " steps for ", channels,
        " channels");
  return out;
}

/// Each table as a line, or nothing where one is none.
std::vector<Even> lines_of(const CodeGrid& grid, const std::vector<Floats>& tables) {
  std::vector<Even> out;
  if (!grid.levels) {
    const double offset = grid.offset ? static_cast<double>(grid.offset.item()) : 0;
    for (const float step : grid.step.to_vector())
      out.push_back({offset + static_cast<double>(step) * static_cast<double>(grid.range.low), step});
    return out;
  }
  for (const Floats& table : tables) {
    const auto line = evenly_spaced(table.data(), static_cast<int64_t>(table.size()));
    if (!line) return {};
    out.push_back(*line);
  }
  return out;
}

/// Twice the value of the lowest code, in steps; nothing where it is no whole number, not the same in all channels, or
/// 0 lies beyond the values.
std::optional<int> twice_lowest(const std::vector<Even>& lines, int count) {
  constexpr double kNear = 1e-3;  // steps and offsets are float32
  std::optional<int> out;
  for (const Even& line : lines) {
    const double twice = 2 * line.first / line.step, nearest = std::nearbyint(twice);
    if (std::abs(twice - nearest) > kNear || nearest > 0 || nearest < -2 * (count - 1)) return std::nullopt;
    if (out && *out != static_cast<int>(nearest)) return std::nullopt;
    out = static_cast<int>(nearest);
  }
  return out;
}

infer::Weights sizes_of(const Tensor& w) {
  const bool filters = w.shape().rank() == 4;
  check(filters || w.shape().rank() == 2, "lower: expected weights {Cout,Kh,Kw,Cin} or {out,in}, found ", w.shape());
  infer::Weights out{.out = w.size(0), .in = w.size(-1)};
  if (filters) out.kernel_h = w.size(1), out.kernel_w = w.size(2);
  return out;
}

std::vector<int> bytes_of(const Tensor& codes) {
  const Tensor here = codes.to(Device());
  std::vector<int> out(static_cast<size_t>(here.numel()));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = here.dtype() == DType::i8 ? here.data<int8_t>()[i] : here.data<uint8_t>()[i];
  return out;
}

std::string of_method(const Quantizer& q, const char* what) {
  return concat("the ", what, " of method ", q.spec().method, " are not evenly spaced");
}

Device device_of_state(const Quantizer& q) {
  for (const auto& [name, tensor] : q.state_dict()) {
    if (tensor.dtype() == DType::f32) return tensor.device();
  }
  return {};
}

/// The codes of `x`, asked of the quantizer.
std::vector<int> ask(const Quantizer& q, const Floats& x) {
  const Shape shape{static_cast<int64_t>(x.size())};
  return bytes_of(q.encode(Tensor::from(shape, std::span<const float>(x), device_of_state(q))).values);
}

/// Whether a code is the nearest to (x - offset) / step: just beside each border, far outside, and at 0, which many
/// values are and which may lie on a border.
bool rounds_to_nearest(const Quantizer& q, Range range, double step, double offset) {
  constexpr double kBeside = 1e-4;
  const float zero = std::nearbyint((0 - static_cast<float>(offset)) / static_cast<float>(step));
  const int at_zero = static_cast<int>(std::clamp(zero, static_cast<float>(range.low), static_cast<float>(range.high)));
  Floats x = {-1e30f, 1e30f, 0};
  std::vector<int> expected = {range.low, range.high, at_zero};
  for (int code = range.low; code < range.high; ++code) {
    const double border = offset + (code + 0.5) * step;
    x.push_back(static_cast<float>(border - kBeside * step));
    x.push_back(static_cast<float>(border + kBeside * step));
    expected.insert(expected.end(), {code, code + 1});
  }
  return ask(q, x) == expected;
}

/// Floats in their order as integers.
int32_t rank_of(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  return bits < 0 ? std::numeric_limits<int32_t>::min() - bits : bits;
}
float of_rank(int32_t rank) {
  return std::bit_cast<float>(rank < 0 ? std::numeric_limits<int32_t>::min() - rank : rank);
}

/// For each code but the lowest the least input that gives it or a higher one, by halving.
Floats thresholds_of(const Quantizer& q, Range range) {
  constexpr float kFar = 1e30f;
  const auto count = static_cast<size_t>(range.high - range.low);
  std::vector<int32_t> below(count, rank_of(-kFar)), reached(count, rank_of(kFar));
  Floats middle(count);
  for (int bit = 0; bit < 32; ++bit) {
    for (size_t i = 0; i < count; ++i) {
      const int64_t sum = int64_t{below[i]} + reached[i];
      middle[i] = of_rank(static_cast<int32_t>(sum >> 1));
    }
    const std::vector<int> codes = ask(q, middle);
    for (size_t i = 0; i < count; ++i)
      (codes[i] > range.low + static_cast<int>(i) ? reached : below)[i] = rank_of(middle[i]);
  }
  Floats out;
  for (const int32_t rank : reached) out.push_back(of_rank(rank));
  return out;
}

}  // namespace

WeightForm float_weights(const Tensor& weight, const std::string& why) {
  WeightForm out{sizes_of(weight), std::vector(static_cast<size_t>(weight.size(0)), 1.0), why};
  out.weights.values = weight.to_vector();
  return out;
}

WeightForm weight_form(const Quantizer& quantizer, const Tensor& weight) {
  const Codes codes = quantizer.encode(weight);
  const Range range = whole(codes.grid.range);
  const std::vector<int> values = bytes_of(codes.values);
  const std::vector<Floats> tables = tables_of(codes.grid, weight.size(0));
  const std::vector<Even> lines = lines_of(codes.grid, tables);
  WeightForm out{sizes_of(weight), std::vector(static_cast<size_t>(weight.size(0)), 1.0)};
  out.weights.codes.resize(values.size());
  const auto put = [&](auto&& code_of) {
    std::transform(values.begin(), values.end(), out.weights.codes.begin(),
                   [&](int code) { return static_cast<int8_t>(code_of(code)); });
  };
  int bits = 2;
  while (1 << bits < range.count()) ++bits;
  if (const auto twice = twice_lowest(lines, range.count())) {
    const int half = 1 << (bits - 1), lowest = *twice / 2;
    const bool centred = *twice % 2 == 0 && lowest >= -half && lowest + range.count() <= half;
    out.weights.bits = bits;
    out.weights.halves = centred ? 0 : *twice + 2 * half;
    put([&](int code) { return code - range.low + (centred ? lowest : -half); });
    for (size_t c = 0; c < out.step.size(); ++c)
      out.step[c] = lines[lines.size() == 1 ? 0 : c].step / (centred ? 1 : 2);
    return out;
  }
  out.why_float = of_method(quantizer, "weights");
  out.weights.bits = bits;
  const int entries = 1 << bits;
  put([&](int code) { return code - range.low - entries / 2; });
  for (const Floats& table : tables) {
    out.weights.levels.insert(out.weights.levels.end(), table.begin(), table.end());
    out.weights.levels.resize(out.weights.levels.size() + static_cast<size_t>(entries - range.count()), table.back());
  }
  return out;
}

InputForm input_form(const Quantizer& quantizer) {
  const CodeGrid grid = quantizer.grid();
  const Range range = whole(grid.range);
  const std::vector<Floats> tables = tables_of(grid, 1);
  const std::vector<Even> lines = lines_of(grid, tables);
  check(tables.size() == 1, "lower: ", quantizer.spec().name, ": expected one grid for an input, found ",
        tables.size());
  InputForm out;
  out.codes.low = range.low, out.codes.high = range.high;
  out.codes.bits = 2;
  while (range.count() > 1 << out.codes.bits) ++out.codes.bits;
  if (lines.empty()) {
    out.codes.levels = tables[0];
    out.why_float = of_method(quantizer, "inputs");
  } else {
    out.step = lines[0].step;
    const double offset = lines[0].first - lines[0].step * range.low;
    // A table of levels says its zero no better than float32 does.
    if (!grid.levels || std::abs(offset) > 1e-4 * out.step) out.codes.offset = static_cast<float>(offset);
  }
  out.codes.step = static_cast<float>(out.step);  // what a code is worth, also where thresholds make it
  if (lines.empty() || !rounds_to_nearest(quantizer, range, out.step, static_cast<double>(out.codes.offset)))
    out.codes.thresholds = thresholds_of(quantizer, range);
  return out;
}

}  // namespace ntq
