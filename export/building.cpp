#include "export/building.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace ntq {
namespace {

std::vector<float> rounded_once(const Numbers& values) { return {values.begin(), values.end()}; }

bool takes_affine(const Open& open) {
  const infer::Op op = open.node.op;
  return !open.node.relu && open.node.inputs.size() == 1 && (open.node.has_weights() || op == infer::Op::affine);
}

}  // namespace

Building::Building(const Recorded& recorded, const infer::MapShape& image)
    : r_(recorded), forms_(recorded.graph.values.size()) {
  out_.graph.image = image;
  set(r_.graph.input, Closed{infer::kImage});
}

void Building::refuse(const std::string& what) const {
  throw CannotDeploy(concat(near.empty() ? "" : near + ": ", what, " cannot be deployed"));
}

InputForm Building::codes_by(const Quantizer& q) const {
  if (!q.traits().codes) refuse(concat("the inputs of method ", q.spec().method, ", which have no codes and so"));
  return input_form(q);
}

Form Building::take(int value) {
  Form& form = forms_[static_cast<size_t>(value)];
  if (std::holds_alternative<Quantized>(form)) form = quantizer(std::get<Quantized>(form));
  if (std::holds_alternative<Open>(form) && r_.uses[static_cast<size_t>(value)] == 1)
    return std::exchange(form, Form());
  if (auto* open = std::get_if<Open>(&form)) form = place(std::move(*open));
  check(std::holds_alternative<Closed>(form), "lower: value ", value, " is read before it is there");
  return form;
}

Closed Building::close(Form form) {
  if (const auto* closed = std::get_if<Closed>(&form)) return *closed;
  return place(std::move(std::get<Open>(form)));
}

Closed Building::read(int value) {
  const Closed closed = close(take(value));
  set(value, closed);
  return closed;
}

std::string Building::unique(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; !names_.insert(name).second; ++i) name = concat(wanted, ".", i);
  return name;
}

Closed Building::place(Open open) {
  infer::Node& node = open.node;
  if (node.has_weights()) {
    for (size_t c = 0; c < open.gain.size(); ++c) {
      open.sum_scale[c] *= open.gain[c];
      if (!open.offset_scale.empty()) open.offset_scale[c] *= open.gain[c];
    }
    node.scale = rounded_once(open.sum_scale);
    node.offset_scale = rounded_once(open.offset_scale);
    node.bias = rounded_once(open.shift);
  } else if (node.op == infer::Op::affine) {
    node.scale = rounded_once(open.gain);
    node.bias = rounded_once(open.shift);
  }
  node.name = unique(node.name);
  if (node.is_integer()) check_size(node);
  out_.graph.nodes.push_back(std::move(node));
  return static_cast<Closed>(out_.graph.nodes.size()) - 1;
}

/// Codes of values beyond float32 would pass for codes of large ones: a damaged network must not look like a sound one.
void Building::check_size(const infer::Node& node) const {
  constexpr double kMost = 1e30;
  const infer::Weights& w = node.weights;
  const int half = 1 << (w.bits - 1), largest = std::max(std::abs(w.count(-half)), std::abs(w.count(half - 1)));
  const double sum = static_cast<double>(w.taps()) * std::max(node.codes.high, -node.codes.low) * largest;
  for (size_t c = 0; c < node.scale.size(); ++c) {
    const double most =
        sum * std::abs(static_cast<double>(node.scale[c])) + std::abs(static_cast<double>(node.bias[c]));
    if (!(most <= kMost)) refuse(concat(node.name, ", whose values may reach ", most, ","));
  }
}

/// A quantizer whose values something else than a convolution or linear layer reads.
Open Building::quantizer(const Quantized& quantized) {
  InputForm input = codes_by(*quantized.by);
  infer::InputCodes& codes = input.codes;
  if (codes.levels.empty() && (!codes.thresholds.empty() || codes.offset != 0)) {
    for (int code = codes.low; code <= codes.high; ++code)
      codes.levels.push_back(static_cast<float>(input.step * code + static_cast<double>(codes.offset)));
  }
  Open open{{.op = infer::Op::quantize, .name = quantized.by->spec().name, .inputs = {read(quantized.value)}}, {}, {}};
  open.node.codes = std::move(codes);
  return open;
}

Form Building::simple(infer::Node node, Form x) {
  node.name = infer::op_name(node.op);
  node.inputs = {close(std::move(x))};
  return Open{std::move(node), {}, {}};
}

Form Building::affine(Form x, Numbers gain, Numbers shift) {
  auto* open = std::get_if<Open>(&x);
  if (!open || !takes_affine(*open) || open->gain.size() != gain.size()) {
    Open fresh{{.op = infer::Op::affine, .name = near.empty() ? "affine" : near, .inputs = {close(std::move(x))}},
               std::move(gain),
               std::move(shift)};
    return fresh;
  }
  for (size_t c = 0; c < gain.size(); ++c) {
    open->shift[c] = open->shift[c] * gain[c] + shift[c];
    open->gain[c] *= gain[c];
  }
  return x;
}

Form Building::added(Form a, Form b) {
  const auto may = [](const Form& form) {
    const auto* open = std::get_if<Open>(&form);
    return open && open->node.may_quantize() && !open->node.relu && open->node.inputs.size() == 1;
  };
  if (!may(b)) std::swap(a, b);
  if (may(b)) {
    const Closed other = close(std::move(a));
    std::get<Open>(b).node.inputs.push_back(other);
    return b;
  }
  const Closed first = close(std::move(a)), second = close(std::move(b));
  return Open{{.op = infer::Op::add, .name = "add", .inputs = {first, second}}, {}, {}};
}

Form Building::rectified(Form x) {
  auto* open = std::get_if<Open>(&x);
  const bool may =
      open && (open->node.may_quantize() || open->node.op == infer::Op::affine || open->node.op == infer::Op::add);
  if (!may) return simple({.op = infer::Op::relu}, std::move(x));
  open->node.relu = true;
  return x;
}

void Building::stays_float(const std::string& layer, const std::vector<std::string>& reasons) {
  std::vector<std::string> said;
  std::copy_if(reasons.begin(), reasons.end(), std::back_inserter(said),
               [](const std::string& why) { return !why.empty(); });
  out_.float_layers.push_back({layer, join(said, "; ")});
}

Lowered Building::finish() {
  const int last = close(take(r_.graph.output));
  if (last == infer::kImage || last + 1 != static_cast<int>(out_.graph.nodes.size()))
    refuse("what the network gives is not what it computes last, so it");
  return std::move(out_);
}

}  // namespace ntq
