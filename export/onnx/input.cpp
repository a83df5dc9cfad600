#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "export/onnx/writer.h"

namespace ntq {
namespace {

/// 0 without a sign, 128 where that puts all codes into a byte.
int zero_point_of(const infer::InputCodes& codes) {
  if (!codes.levels.empty()) return -codes.low;  // codes are the places of their levels
  if (codes.low == 0) return 0;
  return codes.low >= -128 && codes.high <= 127 ? 128 : -codes.low;
}

/// Whether the thresholds lie where rounding has them, but for rounding of their own.
bool evenly_spaced(const infer::InputCodes& codes) {
  for (size_t i = 0; i < codes.thresholds.size(); ++i) {
    const double even = (codes.low + static_cast<double>(i) + 0.5) * codes.step + codes.offset;
    if (!(codes.step > 0) || std::abs(codes.thresholds[i] - even) > 1e-3 * codes.step) return false;
  }
  return true;
}

/// How many thresholds are at most x: int32, of the shape of x.
std::string count_thresholds(OnnxBuilder& b, const infer::Node& node, const std::string& x, int64_t rank) {
  const auto count = static_cast<int64_t>(node.codes.thresholds.size());
  const std::string last = b.int64s(node.name + ".last_axis", {rank});
  const std::string wide = b.node("Unsqueeze", node.name, {x, last});
  const std::string thresholds = b.floats(node.name + ".thresholds", node.codes.thresholds, {count});
  const std::string reached = b.node("GreaterOrEqual", node.name, {wide, thresholds});
  const std::string ones = b.node("Cast", node.name, {reached}, {attribute("to", static_cast<int64_t>(OnnxType::i32))});
  return b.node("ReduceSum", node.name, {ones, last}, {attribute("keepdims", 0)});
}

std::string codes_by_thresholds(OnnxBuilder& b, const infer::Node& node, const std::string& x, int64_t rank,
                                int zero_point) {
  std::string codes = count_thresholds(b, node, x, rank);
  if (const int first = node.codes.low + zero_point; first != 0) {
    codes = b.node("Add", node.name, {codes, b.int32s(node.name + ".first_code", {first}, {})});
  }
  return b.node("Cast", node.name, {codes}, {attribute("to", static_cast<int64_t>(OnnxType::u8))});
}

std::string codes_by_step(OnnxBuilder& b, const infer::Node& node, const std::string& x, int zero_point) {
  const infer::InputCodes& c = node.codes;
  std::string from = x;
  if (c.offset != 0) from = b.node("Sub", node.name, {x, b.scalar(node.name + ".offset", c.offset)});
  const std::string zero = b.byte(node.name + ".zero_point", OnnxType::u8, zero_point);
  const std::string step = b.scalar(node.name + ".step", c.step);
  const std::string codes = b.node("QuantizeLinear", node.name, {from, step, zero});
  const int low = c.low + zero_point, high = c.high + zero_point;
  if (low == 0 && high == 255) return codes;
  return b.node(
      "Clip", node.name,
      {codes, b.byte(node.name + ".low", OnnxType::u8, low), b.byte(node.name + ".high", OnnxType::u8, high)});
}

/// fl(code * step) without codes.
std::string rounded_floats(OnnxBuilder& b, const infer::Node& node, const std::string& x) {
  const std::string step = b.scalar(node.name + ".step", node.codes.step);
  const std::string places = b.node("Round", node.name, {b.node("Div", node.name, {x, step})});
  const std::string low = b.scalar(node.name + ".low", static_cast<float>(node.codes.low));
  const std::string high = b.scalar(node.name + ".high", static_cast<float>(node.codes.high));
  return b.node("Mul", node.name, {b.node("Clip", node.name, {places, low, high}), step});
}

/// TensorRT's: int8, zero point 0, the range by a Clip of floats before it.
OnnxInput trt_input(OnnxBuilder& b, const infer::Node& node, const std::string& x) {
  const infer::InputCodes& c = node.codes;
  check(c.low >= -128 && c.high <= 127, "--dialect trt: ", node.name, " has inputs from ", c.low, " to ", c.high,
        ", int8 ends at 127; train with ",
        node.op == infer::Op::quantize ? "--skip-bits 7"
                                       : concat("--act-bits 7, or --bits-of ", node.name, "=a7 for this layer"));
  check(c.offset == 0 && c.levels.empty() && evenly_spaced(c), "--dialect trt: ", node.name,
        " has inputs with an offset, levels or thresholds of their own, TensorRT takes multiples of a step; use "
        "--dialect plain");
  std::string from = x;
  if (c.low != -128 || c.high != 127) {
    const std::string low = b.scalar(node.name + ".low", static_cast<float>(c.low) * c.step);
    from = b.node("Clip", node.name, {x, low, b.scalar(node.name + ".high", static_cast<float>(c.high) * c.step)});
  }
  const std::string zero = b.byte(node.name + ".zero_point", OnnxType::i8, 0);
  const std::string step = b.scalar(node.name + ".step", c.step);
  OnnxInput in;
  in.codes = b.node("QuantizeLinear", node.name, {from, step, zero});
  in.values = b.node("DequantizeLinear", node.name, {in.codes, step, zero});
  in.unit = c.step;
  return in;
}

}  // namespace

OnnxInput layer_input(OnnxBuilder& b, const infer::Node& node, const std::string& x, int64_t rank,
                      OnnxDialect dialect) {
  const infer::InputCodes& c = node.codes;
  if (!c.present()) return {.codes = {}, .values = x};
  if (dialect == OnnxDialect::trt) return trt_input(b, node, x);
  const bool exact = dialect == OnnxDialect::exact;
  OnnxInput in{.codes = {}, .values = {}, .unit = 1, .zero_point = zero_point_of(c)};
  const bool by_step = c.thresholds.empty() || (!exact && c.levels.empty() && evenly_spaced(c));
  in.codes = by_step ? codes_by_step(b, node, x, in.zero_point) : codes_by_thresholds(b, node, x, rank, in.zero_point);
  if (!c.levels.empty()) {
    const std::string place =
        b.node("Cast", node.name, {in.codes}, {attribute("to", static_cast<int64_t>(OnnxType::i32))});
    const auto count = static_cast<int64_t>(c.levels.size());
    in.values = b.node("Gather", node.name, {b.floats(node.name + ".input_levels", c.levels, {count}), place});
    return in;
  }
  if (exact && node.is_integer()) return in;
  check(exact || c.step > 0, "onnx: ", node.name, ": the step of the inputs is ", c.step, ", expected more than 0");
  // The definition's float sums are of codes, and what an offset adds is in the bias.
  const float step = exact ? 1.0f : c.step;
  const std::string zero = b.byte(node.name + ".zero_point", OnnxType::u8, in.zero_point);
  in.values = b.node("DequantizeLinear", node.name, {in.codes, b.scalar(node.name + ".step", step), zero});
  if (!exact && c.offset != 0) {
    in.values = b.node("Add", node.name, {in.values, b.scalar(node.name + ".offset", c.offset)});
  }
  in.unit = step;
  return in;
}

std::string quantizer_output(OnnxBuilder& b, const infer::Node& node, const std::string& x, int64_t rank,
                             OnnxDialect dialect) {
  // A sum between DequantizeLinear and QuantizeLinear is no longer one of floats: OpenVINO takes the ratio of steps.
  const bool floats = dialect == OnnxDialect::exact || (dialect == OnnxDialect::plain && node.inputs.size() > 1);
  if (floats && node.codes.levels.empty()) return rounded_floats(b, node, x);
  return layer_input(b, node, x, rank, dialect).values;
}

}  // namespace ntq
