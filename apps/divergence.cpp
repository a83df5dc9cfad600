#include "apps/divergence.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "engine/autograd.h"
#include "engine/ops/reduce.h"

namespace ntq::apps {
namespace {

bool finite(const Tensor& t) {
  if (!t.defined() || t.dtype() != DType::f32) return true;
  return all_finite(t);
}

/// "layer1.0.conv1.weight_quant.step" -> "layer1.0.conv1": the layer that owns a parameter.
std::string owner(std::string name) {
  name.erase(std::min(name.size(), name.rfind('.')));
  for (const char* child : {".weight_quant", ".input_quant"}) {
    if (const auto at = name.rfind(child); at != std::string::npos) name.erase(at);
  }
  return name;
}

/// Every node behind the loss, in the order of computation.
std::vector<std::shared_ptr<Node>> nodes_behind(const Tensor& loss) {
  std::map<uint64_t, std::shared_ptr<Node>> found;
  std::vector<std::shared_ptr<Node>> open = {loss.node()};
  while (!open.empty()) {
    const auto node = open.back();
    open.pop_back();
    if (node == nullptr || !found.emplace(node->id, node).second) continue;
    for (const auto& input : node->inputs) {
      if (input.defined()) open.push_back(input.node());
    }
  }
  std::vector<std::shared_ptr<Node>> out;
  for (const auto& [id, node] : found) out.push_back(node);
  return out;
}

/// The layer whose parameter stands nearest behind a node, breadth first.
std::string layer_of(const std::shared_ptr<Node>& start, const std::map<const void*, std::string>& parameters) {
  std::deque<std::shared_ptr<Node>> open = {start};
  std::set<uint64_t> seen;
  while (!open.empty()) {
    const auto node = open.front();
    open.pop_front();
    if (node == nullptr || !seen.insert(node->id).second) continue;
    for (const auto& input : node->inputs) {
      if (!input.defined()) continue;
      if (const auto found = parameters.find(input.id()); found != parameters.end()) return owner(found->second);
      open.push_back(input.node());
    }
  }
  return "";
}

}  // namespace

std::string first_not_finite(const Module& model, const Tensor& loss) {
  std::map<const void*, std::string> parameters;
  for (const auto& [name, tensor] : model.named_parameters()) {
    if (!finite(tensor)) return "parameter " + name;
    parameters[tensor.id()] = name;
  }
  if (!loss.defined() || loss.node() == nullptr) {
    for (const auto& [name, tensor] : model.named_buffers()) {
      if (!finite(tensor)) return "buffer " + name;
    }
    return "";
  }
  // A node's output is an input of later nodes: the bad one that was computed first names the layer.
  std::shared_ptr<Node> first = loss.node();
  for (const auto& node : nodes_behind(loss)) {
    for (const auto& input : node->inputs) {
      if (!input.defined() || input.node() == nullptr || input.node()->id >= first->id) continue;
      if (!finite(input)) first = input.node();
    }
  }
  const std::string layer = layer_of(first, parameters);
  if (first == loss.node()) return "the loss itself" + (layer.empty() ? "" : " (behind " + layer + ")");
  return "output of " + (layer.empty() ? "an unnamed layer" : layer);
}

}  // namespace ntq::apps
