#include "engine/graph.h"

#include <unordered_map>

#include "engine/autograd.h"

namespace ntq {
namespace {

thread_local const Module* current_part = nullptr;

class Recorder {
 public:
  Recorder(const Module& model, const NodeObserver& observe) : observe_(observe) {
    for (const auto& [name, tensor] : model.state_dict()) add(tensor, name);
  }

  int add(const Tensor& tensor, const std::string& name) {
    const auto [found, fresh] = index_.try_emplace(tensor.id(), static_cast<int>(graph.values.size()));
    if (fresh) {
      const bool given = !name.empty() && name != "input";
      graph.values.push_back({tensor.shape(), name, given ? tensor : Tensor()});
      kept_.push_back(tensor);
    }
    return found->second;
  }

  void note(const OpInfo& op, const Tensor& output, const std::vector<Tensor>& inputs) {
    GraphNode node{.op = op.name, .inputs = {}, .attributes = op.attributes, .part = current_part};
    for (const Tensor& input : inputs) node.inputs.push_back(input ? read(input) : -1);
    node.output = add(output, "");
    graph.nodes.push_back(std::move(node));
    if (observe_) observe_(graph, output);
  }

  Graph graph;

 private:
  /// What is not known by its identity may be a known value's memory: detached, or with another shape.
  int read(const Tensor& input) {
    if (index_.contains(input.id()) || input.numel() == 0) return add(input, "constant");
    for (size_t i = kept_.size(); i-- > 0;) {
      const Tensor& known = kept_[i];
      if (known.raw() != input.raw() || known.numel() != input.numel() || known.dtype() != input.dtype()) continue;
      if (known.shape() == input.shape()) return static_cast<int>(i);
      note({"reshape"}, input, {known});
      return index_.at(input.id());
    }
    return add(input, "constant");
  }

  const NodeObserver& observe_;
  std::unordered_map<const void*, int> index_;
  std::vector<Tensor> kept_;  // so that no later tensor gets the identity of one that is gone
};

thread_local Recorder* recorder = nullptr;

}  // namespace

bool graph_is_recorded() { return recorder != nullptr; }

GraphPause::GraphPause() : before_(recorder) { recorder = nullptr; }
GraphPause::~GraphPause() { recorder = static_cast<Recorder*>(before_); }

void note_op(const OpInfo& op, const Tensor& output, const std::vector<Tensor>& inputs) {
  check(op.name != nullptr && *op.name != '\0', "record: an op needs a name, so that a graph can hold it");
  if (recorder != nullptr) recorder->note(op, output, inputs);
}

GraphPart::GraphPart(const Module& part) : before_(current_part) { current_part = &part; }
GraphPart::~GraphPart() { current_part = before_; }

Graph record_graph(const Module& model, const Tensor& input, const std::function<Tensor()>& compute,
                   const NodeObserver& observe) {
  check(recorder == nullptr, "record_graph: a graph is being recorded already");
  const NoGrad no_grad;
  Recorder own(model, observe);
  struct Stop {
    ~Stop() { recorder = nullptr; }
  } const stop;
  own.graph.input = own.add(input, "input");
  recorder = &own;
  const Tensor output = compute();
  own.graph.output = own.add(output, "");
  return std::move(own.graph);
}

Graph record_graph(Module& model, const Tensor& example) {
  struct Restore {
    Module& model;
    bool training;
    ~Restore() { model.train(training); }
  } const restore{model, model.training()};
  model.eval();
  return record_graph(model, example, [&] { return model.forward(example); });
}

}  // namespace ntq
