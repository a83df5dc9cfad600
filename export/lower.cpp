#include "export/lower.h"

#include <cmath>

#include "export/building.h"

namespace ntq {
namespace {

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

/// The ops of a pass, one after another.
class Lowering {
 public:
  Lowering(const Recorded& recorded, const infer::MapShape& image) : r_(recorded), b_(recorded, image) {}

  Lowered run() {
    for (const Step& step : r_.steps) {
      b_.near = name_near(step);
      b_.set(step.output, step.quantizer ? Quantized{step.quantizer, step.inputs[0]} : lowered(*step.op));
    }
    return b_.finish();
  }

 private:
  std::string name_near(const Step& step) const {
    if (step.quantizer) return step.quantizer->spec().name;
    for (const int input : step.op->inputs) {
      if (input < 0) continue;
      const auto quantized = r_.quantized.find(input);
      const std::string& name =
          r_.graph.values[static_cast<size_t>(quantized == r_.quantized.end() ? input : quantized->second.weight)].name;
      if (b_.is_constant(input) && name.rfind('.') != std::string::npos) return name.substr(0, name.rfind('.'));
    }
    return b_.near;
  }

  Form lowered(const GraphNode& op) {
    const auto x = [&] { return op.inputs[0]; };
    const auto simple = [&](infer::Node node) { return b_.simple(std::move(node), b_.take(x())); };
    if (op.op == "conv2d" || op.op == "linear") return weighted(op);
    if (op.op == "batch_norm") return batch_norm(op);
    if (op.op == "add")
      return b_.is_constant(op.inputs[1]) || b_.is_constant(x()) ? with_constant(op) : sum(x(), op.inputs[1]);
    if (op.op == "sub" || op.op == "mul" || op.op == "div") return with_constant(op);
    if (op.op == "scale") return affine(x(), {real_attribute(op, "alpha")}, {0.0});
    if (op.op == "neg") return affine(x(), {-1.0}, {0.0});
    if (op.op == "relu") return b_.rectified(b_.take(x()));
    if (op.op == "max_pool2d") {
      return simple({.op = infer::Op::max_pool,
                     .kernel = integer_attribute(op, "kernel"),
                     .stride = integer_attribute(op, "stride"),
                     .pad = integer_attribute(op, "padding")});
    }
    if (op.op == "subsample_pad_channels") {
      return simple({.op = infer::Op::subsample_pad,
                     .stride = integer_attribute(op, "stride"),
                     .extra = integer_attribute(op, "extra")});
    }
    if (op.op == "global_avg_pool" || (op.op == "avg_pool2d" && covers_all(op)))
      return simple({.op = infer::Op::global_average});
    if (op.op == "reshape" && b_.shape(op.output).rank() >= 2 && b_.shape(op.output)[0] == 1 &&
        (b_.shape(op.output).rank() == 2 || b_.shape(op.output) == b_.shape(x())))
      return b_.take(x());
    b_.refuse("the op " + op.op);
  }

  bool covers_all(const GraphNode& op) const {
    const Shape& x = b_.shape(op.inputs[0]);
    return integer_attribute(op, "padding") == 0 && x[1] == integer_attribute(op, "kernel") &&
           x[2] == integer_attribute(op, "kernel");
  }

  Form weighted(const GraphNode& op) {
    const int x = op.inputs[0], w = op.inputs[1];
    if (!b_.is_constant(w)) b_.refuse(concat("a ", op.op, " whose weights follow from its input"));
    if (b_.is_constant(x)) b_.refuse(concat("a ", op.op, " whose input does not follow from the network's"));
    const bool conv = op.op == "conv2d";
    Open open;
    open.node.op = conv ? infer::Op::conv : infer::Op::linear;
    open.node.name = b_.near.empty() ? op.op : b_.near;
    if (conv) open.node.stride = integer_attribute(op, "stride"), open.node.pad = integer_attribute(op, "padding");

    const Quantized* quantized = b_.quantized(x);
    InputForm input;
    if (quantized) {
      input = b_.codes_by(*quantized->by);
      open.node.inputs = {b_.read(quantized->value)};
    } else {
      input.why_float = "its input is not quantized";
      open.node.inputs = {b_.close(b_.take(x))};
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
    if (!open.node.is_integer()) b_.stays_float(open.node.name, {input.why_float, weights.why_float});
    return open;
  }

  WeightForm form_of_weight(int w) const {
    const auto quantized = r_.quantized.find(w);
    if (quantized == r_.quantized.end()) return float_weights(b_.constant(w), "its weights are not quantized");
    const auto& [by, weight] = quantized->second;
    if (by->traits().codes) return weight_form(*by, b_.constant(weight));
    return float_weights(b_.constant(w), concat("the weights of method ", by->spec().method, " have no codes"));
  }

  Form batch_norm(const GraphNode& op) {
    const auto values = [&](size_t i) { return numbers(op, op.inputs[i]); };
    const Numbers gamma = values(1), beta = values(2), mean = values(4), variance = values(5);
    Numbers gain, shift;
    for (size_t c = 0; c < gamma.size(); ++c) {
      gain.push_back(gamma[c] / std::sqrt(variance[c] + real_attribute(op, "eps")));
      shift.push_back(beta[c] - mean[c] * gain[c]);
    }
    Form y = affine(op.inputs[0], gain, shift);
    if (op.inputs[3] >= 0) y = b_.added(std::move(y), b_.take(op.inputs[3]));
    return integer_attribute(op, "relu") != 0 ? b_.rectified(std::move(y)) : std::move(y);
  }

  Numbers numbers(const GraphNode& op, int value) const {
    if (!b_.is_constant(value)) b_.refuse(concat("a ", op.op, " whose parameters follow from its input"));
    const std::vector<float> values = b_.constant(value).to_vector();
    return {values.begin(), values.end()};
  }

  /// add, sub, mul, div with one number, or one for each channel.
  Form with_constant(const GraphNode& op) {
    const bool second = b_.is_constant(op.inputs[1]);
    if (second == b_.is_constant(op.inputs[0])) b_.refuse(concat("the op ", op.op, " of two values"));
    const int x = op.inputs[second ? 0 : 1], c = op.inputs[second ? 1 : 0];
    const Numbers k = numbers(op, c);
    if (k.size() != 1 && (static_cast<int64_t>(k.size()) != b_.shape(x)[-1] || b_.shape(c)[-1] != b_.shape(x)[-1]))
      b_.refuse(concat("the op ", op.op, " with a constant that is not one for each channel"));
    Numbers gain(k.size(), 1.0), shift(k.size(), 0.0);
    if (op.op == "add") shift = k;
    if (op.op == "mul") gain = k;
    if (op.op == "sub") {
      for (size_t i = 0; i < k.size(); ++i) gain[i] = second ? 1 : -1, shift[i] = second ? -k[i] : k[i];
    }
    if (op.op == "div") {
      if (!second) b_.refuse("the op div of a constant by a value");
      for (size_t i = 0; i < k.size(); ++i) gain[i] = 1 / k[i];
    }
    return affine(x, gain, shift);
  }

  Form affine(int x, Numbers gain, Numbers shift) {
    const auto channels = static_cast<size_t>(b_.shape(x)[-1]);
    if (gain.size() == 1) gain.resize(channels, gain[0]), shift.resize(channels, shift[0]);
    if (gain.size() != channels) b_.refuse("a factor that is not one for each channel");
    return b_.affine(b_.take(x), std::move(gain), std::move(shift));
  }

  Form sum(int first, int second) {
    if (b_.quantized(second) && !b_.quantized(first)) std::swap(first, second);
    if (b_.quantized(first)) {
      // The other one is there before what is quantized is computed, which can then end with the sum.
      Form other = b_.close(b_.take(second));
      return b_.added(std::move(other), b_.take(first));
    }
    Form a = b_.take(first), b = b_.take(second);
    return b_.added(std::move(a), std::move(b));
  }

  const Recorded& r_;
  Building b_;
};

}  // namespace

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

}  // namespace ntq
