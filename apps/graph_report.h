#pragma once
// A recorded graph for people and programs.
#include <string>

#include <nlohmann/json_fwd.hpp>
#include "engine/graph.h"

namespace ntq::apps {

/// A line for each op: "%7 = conv2d(%6, layer1.0.conv1.weight)  stride 1, padding 1  {1,32,32,16}", results as %number.
std::string graph_table(const Graph& graph);
/// [{"op", "inputs", "output", "shape", "attributes"}], names as in the table.
nlohmann::ordered_json graph_to_json(const Graph& graph);

}  // namespace ntq::apps
