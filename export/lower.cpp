#include "export/lower.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <variant>

#include "base/text.h"
#include "export/codes.h"
#include "export/recorded.h"

namespace ntq {
namespace {

using Numbers = std::vector<double>;

/// A node that later ops may still go into: y = gain * (what the node's op gives) + shift.
struct Open {
  infer::Node node;
  Numbers gain, shift;
  Numbers sum_scale = {};     // of a sum: its value is sum_scale * sum ...
  Numbers offset_scale = {};  // ... + offset_scale * (sum of the weights' codes)
  bool takes_affine() const { return !node.relu && node.inputs.size() == 1 && node.op != infer::Op::add; }
};

/// The codes of another value.
struct Quantized {
  const Quantizer* by;
  int value;
};

using Closed = int;  // a node's index, or infer::kImage
using Form = std::variant<std::monostate, Closed, Open, Quantized>;

std::vector<float> rounded(const Numbers& values) { return {values.begin(), values.end()}; }

int64_t integer_attribute(const GraphNode& op, const char* name) {
  for (const auto& [key, value] : op.attributes) {
    if (key == name) return std::get<int64_t>(value);
  }
  throw CannotDeploy(concat(op.op, ": does not say its ", name));
}

double real_attribute(const GraphNode& op, const char* name) {
  for (const auto& [key, value] : op.attributes) {
    if (key == name) return std::get<double>(value);
  }
  throw CannotDeploy(concat(op.op, ": does not say its ", name));
}

class Lowering {
 public:
  Lowering(const Recorded& recorded, const infer::MapShape& image)
      : r_(recorded), forms_(recorded.graph.values.size()) {
    out_.graph.image = image;
    forms_[at(r_.graph.input)] = Closed{infer::kImage};
  }

  Lowered run() {
    for (const Step& step : r_.steps) {
      last_named_ = name_near(step);
      if (step.quantizer) {
        forms_[at(step.output)] = Quantized{step.quantizer, step.inputs[0]};
      } else {
        forms_[at(step.output)] = lowered(*step.op);
      }
    }
    const int last = close(take(r_.graph.output));
    if (last == infer::kImage || last + 1 != static_cast<int>(out_.graph.nodes.size()))
      refuse("what the network gives is not what it computes last, so it");
    return std::move(out_);
  }

 private:
  static size_t at(int value) { return static_cast<size_t>(value); }
  const Shape& shape(int value) const { return r_.graph.values[at(value)].shape; }
  bool is_constant(int value) const { return r_.constants[at(value)].defined(); }

  /// "X cannot be deployed", with the nearest name that a reader may know.
  [[noreturn]] void refuse(const std::string& what) const {
    throw CannotDeploy(concat(last_named_.empty() ? "" : last_named_ + ": ", what, " cannot be deployed"));
  }

  std::string name_near(const Step& step) const {
    if (step.quantizer) return step.quantizer->spec().name;
    for (const int input : step.op->inputs) {
      if (input < 0) continue;
      const auto quantized = r_.quantized.find(input);
      const std::string& name =
          r_.graph.values[at(quantized == r_.quantized.end() ? input : quantized->second.weight)].name;
      if (is_constant(input) && name.rfind('.') != std::string::npos) return name.substr(0, name.rfind('.'));
    }
    return last_named_;
  }

  std::string unique(const std::string& wanted) {
    std::string name = wanted;
    for (int i = 2; !names_.insert(name).second; ++i) name = concat(wanted, ".", i);
    return name;
  }

  Form lowered(const GraphNode& op) {
    const auto x = [&] { return op.inputs[0]; };
    if (op.op == "conv2d" || op.op == "linear") return weighted(op);
    if (op.op == "batch_norm") return batch_norm(op);
    if (op.op == "add")
      return is_constant(op.inputs[1]) || is_constant(x()) ? with_constant(op) : added(take(x()), take(op.inputs[1]));
    if (op.op == "sub" || op.op == "mul" || op.op == "div") return with_constant(op);
    if (op.op == "scale") return affine(x(), {real_attribute(op, "alpha")}, {0.0});
    if (op.op == "neg") return affine(x(), {-1.0}, {0.0});
    if (op.op == "relu") return rectified(take(x()));
    if (op.op == "max_pool2d") {
      return simple({.op = infer::Op::max_pool,
                     .kernel = integer_attribute(op, "kernel"),
                     .stride = integer_attribute(op, "stride"),
                     .pad = integer_attribute(op, "padding")},
                    x());
    }
    if (op.op == "subsample_pad_channels") {
      return simple({.op = infer::Op::subsample_pad,
                     .stride = integer_attribute(op, "stride"),
                     .extra = integer_attribute(op, "extra")},
                    x());
    }
    if (op.op == "global_avg_pool" || (op.op == "avg_pool2d" && covers_all(op)))
      return simple({.op = infer::Op::global_average}, x());
    if (op.op == "reshape" && shape(op.output).rank() >= 2 && shape(op.output)[0] == 1 &&
        (shape(op.output).rank() == 2 || shape(op.output) == shape(x())))
      return take(x());
    refuse("the op " + op.op);
  }

  bool covers_all(const GraphNode& op) const {
    const Shape& x = shape(op.inputs[0]);
    return integer_attribute(op, "padding") == 0 && x[1] == integer_attribute(op, "kernel") &&
           x[2] == integer_attribute(op, "kernel");
  }

  /// What is known of a value; a node that only this reader has is its to go on with.
  Form take(int value) {
    Form& form = forms_[at(value)];
    if (std::holds_alternative<Quantized>(form)) refuse("a quantized value that no convolution or linear layer reads");
    if (std::holds_alternative<Open>(form) && r_.uses[at(value)] == 1) return std::exchange(form, Form());
    if (auto* open = std::get_if<Open>(&form)) form = place(std::move(*open));
    check(std::holds_alternative<Closed>(form), "lower: value ", value, " is read before it is there");
    return form;
  }

  Closed close(Form form) {
    if (const auto* closed = std::get_if<Closed>(&form)) return *closed;
    return place(std::move(std::get<Open>(form)));
  }

  Closed place(Open open) {
    infer::Node& node = open.node;
    if (node.has_weights()) {
      for (size_t c = 0; c < open.gain.size(); ++c) {
        open.sum_scale[c] *= open.gain[c];
        if (!open.offset_scale.empty()) open.offset_scale[c] *= open.gain[c];
      }
      node.scale = rounded(open.sum_scale);
      node.offset_scale = rounded(open.offset_scale);
      node.bias = rounded(open.shift);
    } else if (node.op == infer::Op::affine) {
      node.scale = rounded(open.gain);
      node.bias = rounded(open.shift);
    }
    node.name = unique(node.name);
    if (node.is_integer()) check_size(node);
    out_.graph.nodes.push_back(std::move(node));
    return static_cast<Closed>(out_.graph.nodes.size()) - 1;
  }

  /// Codes of values beyond float32 would pass for codes of large ones: a damaged network must not look like a sound
  /// one.
  void check_size(const infer::Node& node) const {
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

  Form simple(infer::Node node, int x) {
    node.name = infer::op_name(node.op);
    node.inputs = {close(take(x))};
    return Open{std::move(node), {}, {}};
  }

  Form weighted(const GraphNode& op) {
    const int x = op.inputs[0], w = op.inputs[1];
    if (!is_constant(w)) refuse(concat("a ", op.op, " whose weights follow from its input"));
    if (is_constant(x)) refuse(concat("a ", op.op, " whose input does not follow from the network's"));
    const bool conv = op.op == "conv2d";
    Open open;
    open.node.op = conv ? infer::Op::conv : infer::Op::linear;
    open.node.name = last_named_.empty() ? op.op : last_named_;
    if (conv) open.node.stride = integer_attribute(op, "stride"), open.node.pad = integer_attribute(op, "padding");

    const auto* quantized = std::get_if<Quantized>(&forms_[at(x)]);
    InputForm input;
    if (quantized && quantized->by->traits().codes) {
      input = input_form(*quantized->by);
      open.node.inputs = {close(take(quantized->value))};
    } else if (quantized) {
      refuse(concat("the inputs of method ", quantized->by->spec().method, ", which have no codes and so"));
    } else {
      input.why_float = "its input is not quantized";
      open.node.inputs = {close(take(x))};
    }
    WeightForm weights = form_of_weight(w);
    open.node.codes = std::move(input.codes);
    open.node.weights = std::move(weights.weights);
    open.gain.assign(weights.step.size(), 1.0);
    open.shift.assign(weights.step.size(), 0.0);
    for (const double step : weights.step) {
      open.sum_scale.push_back(input.step * step);
      if (open.node.codes.offset != 0) open.offset_scale.push_back(static_cast<double>(open.node.codes.offset) * step);
    }
    if (!open.node.is_integer()) {
      std::vector<std::string> reasons;
      for (const std::string& why : {input.why_float, weights.why_float}) {
        if (!why.empty()) reasons.push_back(why);
      }
      out_.float_layers.push_back({open.node.name, join(reasons, "; ")});
    }
    return open;
  }

  WeightForm form_of_weight(int w) const {
    const auto quantized = r_.quantized.find(w);
    if (quantized == r_.quantized.end()) return float_weights(r_.constants[at(w)], "its weights are not quantized");
    const auto& [by, weight] = quantized->second;
    if (by->traits().codes) return weight_form(*by, r_.constants[at(weight)]);
    return float_weights(r_.constants[at(w)], concat("the weights of method ", by->spec().method, " have no codes"));
  }

  Form batch_norm(const GraphNode& op) {
    const auto values = [&](size_t i) { return constant(op, op.inputs[i]); };
    const Numbers gamma = values(1), beta = values(2), mean = values(4), variance = values(5);
    Numbers gain, shift;
    for (size_t c = 0; c < gamma.size(); ++c) {
      gain.push_back(gamma[c] / std::sqrt(variance[c] + real_attribute(op, "eps")));
      shift.push_back(beta[c] - mean[c] * gain[c]);
    }
    Form y = affine(op.inputs[0], gain, shift);
    if (op.inputs[3] >= 0) y = added(std::move(y), take(op.inputs[3]));
    return integer_attribute(op, "relu") != 0 ? rectified(std::move(y)) : std::move(y);
  }

  Numbers constant(const GraphNode& op, int value) const {
    if (!is_constant(value)) refuse(concat("a ", op.op, " whose parameters follow from its input"));
    const std::vector<float> values = r_.constants[at(value)].to_vector();
    return {values.begin(), values.end()};
  }

  /// add, sub, mul, div with one number, or one for each channel.
  Form with_constant(const GraphNode& op) {
    const bool second = is_constant(op.inputs[1]);
    if (second == is_constant(op.inputs[0])) refuse(concat("the op ", op.op, " of two values"));
    const int x = op.inputs[second ? 0 : 1], c = op.inputs[second ? 1 : 0];
    const Numbers k = constant(op, c);
    if (k.size() != 1 && (static_cast<int64_t>(k.size()) != shape(x)[-1] || shape(c)[-1] != shape(x)[-1]))
      refuse(concat("the op ", op.op, " with a constant that is not one for each channel"));
    Numbers gain(k.size(), 1.0), shift(k.size(), 0.0);
    if (op.op == "add") shift = k;
    if (op.op == "mul") gain = k;
    if (op.op == "sub") {
      for (size_t i = 0; i < k.size(); ++i) gain[i] = second ? 1 : -1, shift[i] = second ? -k[i] : k[i];
    }
    if (op.op == "div") {
      if (!second) refuse("the op div of a constant by a value");
      for (size_t i = 0; i < k.size(); ++i) gain[i] = 1 / k[i];
    }
    return affine(x, gain, shift);
  }

  Form affine(int x, Numbers gain, Numbers shift) {
    const auto channels = static_cast<size_t>(shape(x)[-1]);
    if (gain.size() == 1) gain.resize(channels, gain[0]), shift.resize(channels, shift[0]);
    if (gain.size() != channels) refuse("a factor that is not one for each channel");
    Form form = take(x);
    auto* open = std::get_if<Open>(&form);
    if (!open || !open->takes_affine() || open->gain.size() != channels) {
      Open fresh{{.op = infer::Op::affine,
                  .name = last_named_.empty() ? "affine" : last_named_,
                  .inputs = {close(std::move(form))}},
                 std::move(gain),
                 std::move(shift)};
      return fresh;
    }
    for (size_t c = 0; c < channels; ++c) {
      open->shift[c] = open->shift[c] * gain[c] + shift[c];
      open->gain[c] *= gain[c];
    }
    return form;
  }

  /// Goes into a convolution or linear layer that is still open.
  Form added(Form a, Form b) {
    const auto may = [](const Form& form) {
      const auto* open = std::get_if<Open>(&form);
      return open && open->node.has_weights() && open->takes_affine();
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

  Form rectified(Form form) {
    auto* open = std::get_if<Open>(&form);
    const bool may =
        open && (open->node.has_weights() || open->node.op == infer::Op::affine || open->node.op == infer::Op::add);
    if (!may) return Open{{.op = infer::Op::relu, .name = "relu", .inputs = {close(std::move(form))}}, {}, {}};
    open->node.relu = true;
    return form;
  }

  const Recorded& r_;
  std::vector<Form> forms_;
  Lowered out_;
  std::set<std::string> names_;
  std::string last_named_;
};

}  // namespace

int Lowered::integer_layers() const {
  int count = 0;
  for (const infer::Node& node : graph.nodes) count += node.is_integer() ? 1 : 0;
  return count;
}

Lowered lower(Module& model, const infer::MapShape& image) {
  const auto recorded = record(model, {1, image.height, image.width, image.channels});
  Lowered out = Lowering(*recorded, image).run();
  try {
    infer::check_graph(out.graph, "lower");
  } catch (const CheckpointError& e) {
    throw CannotDeploy(e.what());
  }
  return out;
}

std::string arithmetic_text(const infer::Graph& graph) {
  int integers = 0, layers = 0;
  for (const infer::Node& node : graph.nodes)
    layers += node.has_weights() ? 1 : 0, integers += node.is_integer() ? 1 : 0;
  const char* noun = layers == 1 ? " layer in " : " layers in ";
  if (integers == 0) return concat(layers, noun, "floats");
  return integers == layers ? concat(layers, noun, "integers") : concat(integers, " of ", layers, noun, "integers");
}

std::string lowering_text(const Lowered& lowered) {
  const std::string counts = arithmetic_text(lowered.graph);
  if (lowered.float_layers.empty()) return counts;
  return concat(counts, lowered.integer_layers() == 0 ? ": " : "; in floats: ",
                join_first(lowered.float_layers, 2,
                           [](const FloatLayer& layer) { return concat(layer.name, " (", layer.why, ")"); }));
}

}  // namespace ntq
