#pragma once
// A forward pass as a list of ops: what a reader, an exporter or a report needs to know of a model, taken from the
// model itself as it runs.
#include <string>
#include <vector>

#include "engine/module.h"
#include "engine/op_info.h"

namespace ntq {

struct GraphValue {
  Shape shape;
  std::string name;  ///< of a parameter or buffer, "input", "constant", or "" for what an op made
};

struct GraphNode {
  std::string op;
  std::vector<int> inputs;  ///< indices of values; -1: none
  int output = -1;
  Attributes attributes;
};

struct Graph {
  std::vector<GraphValue> values;
  std::vector<GraphNode> nodes;  ///< in the order of computation
  int input = -1, output = -1;
};

/// Runs `model` on `example` in evaluation mode, without gradients, and gives what it did.
Graph record_graph(Module& model, const Tensor& example);

}  // namespace ntq
