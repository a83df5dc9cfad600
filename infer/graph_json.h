#pragma once
// The text of a graph in a `.ntqi` file: all but the numbers that its tensors hold. Internal to ntqi.h.
#include <string>

#include "infer/graph.h"

namespace ntq::infer {

/// The same text for the same graph; numbers of weights, scales and the like are left out, not their presence.
std::string graph_to_json(const Graph& graph);
/// What a parsed node still lacks.
struct Expected {
  bool offset = false, thresholds = false, input_levels = false;  ///< of the codes
  int64_t levels = 0;                                             ///< of the weights
};
struct ParsedGraph {
  Graph graph;                     ///< without those numbers
  std::vector<Expected> expected;  ///< of each node
};
/// Throws CheckpointError in one line, beginning with `name`, for what is no such text; values are looked at by
/// check_graph().
ParsedGraph graph_from_json(const std::string& text, const std::string& name);

}  // namespace ntq::infer
