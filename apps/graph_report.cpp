#include "apps/graph_report.h"

#include "apps/json.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

/// "conv1.weight", "input", or "%7" for the result of the op in row 7.
std::vector<std::string> names_of_values(const Graph& graph) {
  std::vector<std::string> names;
  for (const GraphValue& value : graph.values) names.push_back(value.name);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    names[static_cast<size_t>(graph.nodes[i].output)] = "%" + std::to_string(i + 1);
  }
  return names;
}

std::string text_of(const Attribute& attribute) {
  if (const auto* number = std::get_if<int64_t>(&attribute)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&attribute)) return general(*number);
  return std::get<std::string>(attribute);
}

std::string name_of(const std::vector<std::string>& names, int value) {
  return value < 0 ? "-" : names[static_cast<size_t>(value)];
}

}  // namespace

std::string graph_table(const Graph& graph) {
  const auto names = names_of_values(graph);
  std::string out;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    std::vector<std::string> inputs, attributes;
    for (const int input : node.inputs) inputs.push_back(name_of(names, input));
    for (const auto& [key, value] : node.attributes) attributes.push_back(key + " " + text_of(value));
    out += concat("%", i + 1, " = ", node.op, "(", join(inputs), ")", attributes.empty() ? "" : "  " + join(attributes),
                  "  ", graph.values[static_cast<size_t>(node.output)].shape, "\n");
  }
  return out;
}

nlohmann::ordered_json graph_to_json(const Graph& graph) {
  const auto names = names_of_values(graph);
  Json out = Json::array();
  for (const GraphNode& node : graph.nodes) {
    Json row = {{"op", node.op}, {"inputs", Json::array()}, {"output", name_of(names, node.output)}};
    for (const int input : node.inputs) {
      row["inputs"].push_back(input < 0 ? Json(nullptr) : Json(name_of(names, input)));
    }
    row["shape"] = graph.values[static_cast<size_t>(node.output)].shape.sizes();
    row["attributes"] = Json::object();
    for (const auto& [key, value] : node.attributes) {
      std::visit([&, name = key](const auto& v) { row["attributes"][name] = v; }, value);
    }
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace ntq::apps
