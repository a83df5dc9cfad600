#include "train/divergence.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <vector>

#include "engine/graph.h"
#include "engine/ops/reduce.h"

namespace ntq {
namespace {

bool finite(const Tensor& t) {
  if (!t.defined() || (t.dtype() != DType::f32 && t.dtype() != DType::bf16)) return true;
  return all_finite(t);
}

std::string first_in(const char* what, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (!finite(tensor)) return what + name;
  }
  return "";
}

/// A parameter that is not finite, or below its floor: a step that no grid has. 0 stands for one that is not set yet.
std::string first_bad_parameter(const Module& model) {
  const std::string found = first_in("parameter ", model.named_parameters());
  if (!found.empty()) return found;
  for (const Parameter& p : model.parameters()) {
    if (p.traits.floor == -std::numeric_limits<float>::infinity()) continue;
    for (const float value : p.value.to_vector()) {
      if (value < p.traits.floor && value != 0) return concat("parameter ", p.name, ", ", value, " below its floor");
    }
  }
  return "";
}

/// "layer1.0.conv1.weight_quant.step" -> "layer1.0.conv1": the layer that owns a tensor; the name of one of the root's.
std::string owner(std::string name) {
  for (const char* child : {".weight_quant.", ".input_quant."}) {
    if (const auto at = name.rfind(child); at != std::string::npos) return name.substr(0, at);
  }
  return name.substr(0, std::min(name.size(), name.rfind('.')));
}

/// The layer whose parameter or buffer stands nearest behind the graph's last op, breadth first.
std::string nearest_layer(const Graph& graph) {
  std::vector<const GraphNode*> maker(graph.values.size(), nullptr);
  for (const GraphNode& node : graph.nodes) maker[static_cast<size_t>(node.output)] = &node;
  std::vector<bool> seen(graph.values.size(), false);
  std::deque<const GraphNode*> open = {&graph.nodes.back()};
  while (!open.empty()) {
    const GraphNode* node = open.front();
    open.pop_front();
    for (const int input : node->inputs) {
      if (input < 0 || seen[static_cast<size_t>(input)]) continue;
      seen[static_cast<size_t>(input)] = true;
      // The model's own tensors come before its input.
      if (input < graph.input) return owner(graph.values[static_cast<size_t>(input)].name);
      if (const GraphNode* before = maker[static_cast<size_t>(input)]) open.push_back(before);
    }
  }
  return "";
}

}  // namespace

std::string first_not_finite(const Module& model) {
  const std::string parameter = first_bad_parameter(model);
  return parameter.empty() ? first_in("buffer ", model.named_buffers()) : parameter;
}

std::string first_not_finite(Module& model, const Tensor& input, const std::function<Tensor()>& compute) {
  std::string found = first_bad_parameter(model);
  if (!found.empty()) return found;
  std::vector<std::pair<Tensor, Tensor>> buffers;  // live, kept
  for (const auto& [name, tensor] : model.named_buffers()) buffers.emplace_back(tensor, tensor.clone());
  record_graph(model, input, compute, [&](const Graph& graph, const Tensor& output) {
    if (!found.empty() || finite(output)) return;
    const std::string layer = nearest_layer(graph), op = graph.nodes.back().op;
    found = layer.empty() ? "output of " + op : "output of " + layer + " (" + op + ")";
  });
  for (auto& [live, kept] : buffers) live.copy_from(kept);
  return found;
}

}  // namespace ntq
