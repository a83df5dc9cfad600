#include "analyze/layer_outputs.h"

#include <string_view>

#include "analyze/restored.h"
#include "engine/graph.h"
#include "train/calibrate.h"

namespace ntq {
namespace {

bool is_product(const GraphNode& node) {
  const std::string_view op = node.op;
  return op == "conv2d" || op == "linear";
}

std::string layer_of(const Graph& graph, const GraphNode& node) {
  constexpr std::string_view kWeight = ".weight";
  for (const int input : node.inputs) {
    if (input < 0) continue;
    const std::string& name = graph.values[static_cast<size_t>(input)].name;
    if (name.ends_with(kWeight)) return name.substr(0, name.size() - kWeight.size());
  }
  return "";
}

}  // namespace

LayerOutputs::LayerOutputs(Module& model, const Tensor& images) : model_(model) {
  const Restored as_before(model);
  enable_quantizers(model, false);
  model.eval();
  const Graph graph = record_graph(model, images);
  for (const GraphNode& node : graph.nodes) {
    if (is_product(node)) names_.push_back(layer_of(graph, node));
  }
}

void LayerOutputs::run(const Tensor& images, const OutputObserver& see) const {
  size_t at = 0;
  record_graph(
      model_, images, [&] { return model_.forward(images); },
      [&](const Graph& graph, const Tensor& output) {
        if (!is_product(graph.nodes.back())) return;
        check(at < names_.size(), "the network computes otherwise than before");
        see(names_[at++], output);
      });
}

}  // namespace ntq
