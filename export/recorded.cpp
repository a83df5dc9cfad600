#include "export/recorded.h"

#include <set>

#include "export/lower.h"
#include "quant/tree.h"

namespace ntq {
namespace {

/// Evaluation while it lives; the mode comes back after.
class Evaluation {
 public:
  explicit Evaluation(Module& model) {
    model.visit([&](const std::string&, Module& module) { modes_.emplace_back(&module, module.training()); });
    model.eval();
  }
  // In the order of visit(): a module's train() sets all below it, which are then set themselves.
  ~Evaluation() {
    for (const auto& [module, training] : modes_) module->train(training);
  }
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> modes_;
};

Device device_of(const Module& model) {
  const NamedTensors parameters = model.named_parameters();
  return parameters.empty() ? Device() : parameters.front().second.device();
}

const Quantizer* quantizer_of(const GraphNode& node) { return dynamic_cast<const Quantizer*>(node.part); }

class Grouping {
 public:
  explicit Grouping(Recorded& r) : r_(r), needed_(r.graph.values.size(), false) {}

  void run() {
    for (size_t i = 0; i < r_.graph.nodes.size();) {
      const Quantizer* quantizer = quantizer_of(r_.graph.nodes[i]);
      size_t end = i + 1;
      while (quantizer && end < r_.graph.nodes.size() && quantizer_of(r_.graph.nodes[end]) == quantizer) ++end;
      quantizer ? group(*quantizer, i, end) : op(r_.graph.nodes[i]);
      i = end;
    }
    drop_the_unneeded();
  }

 private:
  bool constant(int value) const { return value < 0 || r_.constants[static_cast<size_t>(value)].defined(); }

  void op(const GraphNode& node) {
    if (!constant(node.output)) r_.steps.push_back({&node, nullptr, node.inputs, node.output});
  }

  void group(const Quantizer& quantizer, size_t begin, size_t end) {
    std::set<int> made;
    for (size_t i = begin; i < end; ++i) made.insert(r_.graph.nodes[i].output);
    std::set<int> given, results;  // what comes in, and what others read
    for (size_t i = begin; i < end; ++i) {
      for (const int input : r_.graph.nodes[i].inputs) {
        if (input >= 0 && !made.contains(input)) given.insert(input);
      }
    }
    for (size_t i = end; i < r_.graph.nodes.size(); ++i) {
      for (const int input : r_.graph.nodes[i].inputs) {
        if (made.contains(input)) results.insert(input);
      }
    }
    if (made.contains(r_.graph.output)) results.insert(r_.graph.output);
    if (results.empty()) return;
    const std::string& name = quantizer.spec().name;
    if (results.size() != 1) throw CannotDeploy(concat(name, ": gives more than one tensor, which cannot be deployed"));
    const int output = *results.begin();
    if (constant(output)) {
      r_.quantized[output] = {&quantizer, weight_among(given, quantizer, output)};
      return;
    }
    std::erase_if(given, [&](int value) { return constant(value); });
    if (given.size() != 1)
      throw CannotDeploy(concat(name, ": quantizes more than one tensor, which cannot be deployed"));
    r_.steps.push_back({nullptr, &quantizer, {*given.begin()}, output});
  }

  /// The one that has the output's shape and is not the quantizer's own.
  int weight_among(const std::set<int>& given, const Quantizer& quantizer, int output) const {
    std::set<const void*> own;
    for (const auto& entry : quantizer.state_dict()) own.insert(entry.second.id());
    const Shape& shape = r_.graph.values[static_cast<size_t>(output)].shape;
    int found = -1;
    for (const int value : given) {
      const Tensor& tensor = r_.constants[static_cast<size_t>(value)];
      if (own.contains(tensor.id()) || tensor.shape() != shape) continue;
      if (found >= 0) throw CannotDeploy(concat(quantizer.spec().name, ": which tensor it quantizes is not clear"));
      found = value;
    }
    if (found < 0)
      throw CannotDeploy(concat(quantizer.spec().name, ": quantizes no tensor of the shape that it gives"));
    return found;
  }

  void drop_the_unneeded() {
    r_.uses.assign(r_.graph.values.size(), 0);
    needed_[static_cast<size_t>(r_.graph.output)] = true;
    ++r_.uses[static_cast<size_t>(r_.graph.output)];
    std::vector<Step> kept;
    for (auto step = r_.steps.rbegin(); step != r_.steps.rend(); ++step) {
      if (!needed_[static_cast<size_t>(step->output)]) continue;
      for (const int input : step->inputs) {
        if (input < 0) continue;
        needed_[static_cast<size_t>(input)] = true;
        ++r_.uses[static_cast<size_t>(input)];
      }
      kept.push_back(*step);
    }
    r_.steps.assign(kept.rbegin(), kept.rend());
  }

  Recorded& r_;
  std::vector<bool> needed_;
};

}  // namespace

std::unique_ptr<Recorded> record(Module& model, const Shape& image) {
  for (const Quantizer* q : Quantizers(model)) {
    check(!q->enabled() || q->ready(), "lower: ", q->spec().name,
          ": the step is not set; run one forward pass or load a checkpoint first");
  }
  const Evaluation evaluation(model);
  const Tensor example = Tensor::zeros(image, DType::f32, device_of(model));
  auto out = std::make_unique<Recorded>();
  std::map<int, Tensor> computed;                        // constants that ops gave
  std::set<const void*> of_the_input = {example.raw()};  // memory of what follows from it
  const auto observe = [&](const Graph& so_far, const Tensor& output) {
    const GraphNode& node = so_far.nodes.back();
    bool constant = true;
    for (const int input : node.inputs) {
      if (input < 0) continue;
      const GraphValue& value = so_far.values[static_cast<size_t>(input)];
      if (value.name == "constant" && of_the_input.contains(value.value.raw())) {
        throw CannotDeploy(concat(node.op,
                                  ": reads a value that was given another shape by view() or rows(), which no "
                                  "graph sees; use reshape()"));
      }
      constant = constant && (value.value.defined() || computed.contains(input));
    }
    if (constant)
      computed[node.output] = output;
    else
      of_the_input.insert(output.raw());
  };
  out->graph = record_graph(
      model, example, [&] { return model.forward(example); }, observe);
  for (const GraphValue& value : out->graph.values) out->constants.push_back(value.value);
  for (const auto& [value, tensor] : computed) out->constants[static_cast<size_t>(value)] = tensor;
  if (out->constants[static_cast<size_t>(out->graph.output)].defined())
    throw CannotDeploy("what the network gives does not follow from its input, so it cannot be deployed");
  Grouping(*out).run();
  return out;
}

}  // namespace ntq
