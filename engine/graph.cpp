#include "engine/graph.h"

#include <unordered_map>

#include "engine/autograd.h"

namespace ntq {
namespace {

class Recorder {
 public:
  explicit Recorder(const Module& model) {
    for (const auto& [name, tensor] : model.state_dict()) add(tensor, name);
  }

  int add(const Tensor& tensor, const std::string& name) {
    const auto [found, fresh] = index_.try_emplace(tensor.id(), static_cast<int>(graph.values.size()));
    if (fresh) {
      graph.values.push_back({tensor.shape(), name});
      kept_.push_back(tensor);
    }
    return found->second;
  }

  void note(const OpInfo& op, const Tensor& output, const std::vector<Tensor>& inputs) {
    GraphNode node{.op = op.name, .inputs = {}, .attributes = op.attributes};
    for (const Tensor& input : inputs) node.inputs.push_back(input ? add(input, "constant") : -1);
    node.output = add(output, "");
    graph.nodes.push_back(std::move(node));
  }

  Graph graph;

 private:
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

Graph record_graph(Module& model, const Tensor& example) {
  check(recorder == nullptr, "record_graph: a graph is being recorded already");
  const NoGrad no_grad;
  const bool was_training = model.training();
  Recorder own(model);
  struct Restore {
    Module& model;
    bool training;
    ~Restore() {
      recorder = nullptr;
      model.train(training);
    }
  } const restore{model, was_training};
  model.eval();
  own.graph.input = own.add(example, "input");
  recorder = &own;
  const Tensor output = model.forward(example);
  recorder = nullptr;
  own.graph.output = own.add(output, "");
  return std::move(own.graph);
}

}  // namespace ntq
