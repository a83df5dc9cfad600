#pragma once
// A recorded forward pass as lowering reads it: what a quantizer did is one step, whatever ops it is made of, and what
// follows from parameters alone is a constant. Internal to lower.h.
#include <map>
#include <vector>

#include "engine/graph.h"
#include "quant/quantizer.h"

namespace ntq {

/// An op, or what a quantizer did to a value.
struct Step {
  const GraphNode* op = nullptr;
  const Quantizer* quantizer = nullptr;
  std::vector<int> inputs;  ///< of a quantizer: the one that it quantizes
  int output = -1;
};

struct QuantizedWeight {
  const Quantizer* quantizer;
  int weight;  ///< the value that it quantizes
};

struct Recorded {
  Graph graph;
  std::vector<Step> steps;                   ///< those that the output needs and that follow from the input, in order
  std::vector<int> uses;                     ///< of each value, by steps; the graph's output is one more
  std::vector<Tensor> constants;             ///< of each value that does not follow from the input
  std::map<int, QuantizedWeight> quantized;  ///< constants that quantizers gave
};

/// Of an image {1,H,W,C} of zeros. The steps point into `graph`, so the result is not to be copied. Throws
/// CannotDeploy.
std::unique_ptr<Recorded> record(Module& model, const Shape& image);

}  // namespace ntq
