#pragma once
// The values of a graph while its plan is made: who reads them, so in which forms they are kept. Internal to plan.cpp.
#include <vector>

#include "infer/graph.h"

namespace ntq::infer {

/// The image or what a node gives.
struct Value {
  struct Codes {
    const InputCodes* codes;
    int buffer = -1;  ///< kNoBuffer until it is there
  };
  std::vector<int> readers = {};  ///< nodes, one for each input
  bool wants_floats = false;
  int reads_left = 0;  ///< of the floats, by nodes that are no step yet, and of logits by the caller
  int floats = -1;     ///< as Codes::buffer
  std::vector<Codes> codes = {};
  Codes& find(const InputCodes& wanted);
};

class Values {
 public:
  /// The graph stays where it is.
  explicit Values(const Graph& graph);
  Value& of(int node) { return values_[static_cast<size_t>(node + 1)]; }
  /// The node reads its inputs in the step that is being made.
  void start(int node);
  /// The node that quantizes a value which nobody else reads, by a grid that kernels have; else -1.
  int quantizer_of(int node);

 private:
  const Graph& graph_;
  std::vector<Value> values_;  ///< the image's first
};

}  // namespace ntq::infer
