#pragma once
// A forward pass as a list of ops: what a reader, an exporter or a report needs to know of a model, taken from the
// model itself as it runs.
#include <functional>
#include <string>
#include <vector>

#include "engine/module.h"
#include "engine/op_info.h"

namespace ntq {

struct GraphValue {
  Shape shape;
  std::string name;   ///< of a parameter or buffer, "input", "constant", or "" for what an op made
  Tensor value = {};  ///< of a parameter, buffer or constant; else undefined
};

struct GraphNode {
  std::string op;
  std::vector<int> inputs;  ///< indices of values; -1: none
  int output = -1;
  Attributes attributes;
  const Module* part = nullptr;  ///< the module that says its ops are its own (GraphPart), while the model lives
};

struct Graph {
  std::vector<GraphValue> values;
  std::vector<GraphNode> nodes;  ///< in the order of computation
  int input = -1, output = -1;
};

/// While it lives, the ops of this thread belong to `part`: a quantizer's, whatever ops it is made of.
class GraphPart {
 public:
  explicit GraphPart(const Module& part);
  ~GraphPart();
  GraphPart(const GraphPart&) = delete;
  GraphPart& operator=(const GraphPart&) = delete;

 private:
  const Module* before_;
};

/// Runs `model` on `example` in evaluation mode, without gradients, and gives what it did.
Graph record_graph(Module& model, const Tensor& example);

/// Sees each op right behind its run: the graph so far, whose last node it is, and what it gave.
using NodeObserver = std::function<void(const Graph&, const Tensor& output)>;
/// Runs any computation from `input` with the tensors of `model`, in the mode that the model has, without gradients.
Graph record_graph(const Module& model, const Tensor& input, const std::function<Tensor()>& compute,
                   const NodeObserver& observe = {});

}  // namespace ntq
