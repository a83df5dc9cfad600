// What lowering says of a network in a line.
#include "base/text.h"
#include "export/lower.h"

namespace ntq {

int Lowered::integer_layers() const {
  int count = 0;
  for (const infer::Node& node : graph.nodes) count += node.is_integer() ? 1 : 0;
  return count;
}

std::string arithmetic_text(const infer::Graph& graph) {
  int integers = 0, layers = 0;
  for (const infer::Node& node : graph.nodes) {
    layers += node.has_weights() ? 1 : 0, integers += node.is_integer() ? 1 : 0;
  }
  const char* noun = layers == 1 ? " layer in " : " layers in ";
  if (integers == 0) return concat(layers, noun, "floats");
  return integers == layers ? concat(layers, noun, "integers") : concat(integers, " of ", layers, noun, "integers");
}

std::string lowering_text(const Lowered& lowered) {
  const std::string counts = arithmetic_text(lowered.graph);
  if (lowered.float_layers.empty()) return counts;
  return concat(counts, lowered.integer_layers() == 0 ? ": " : "; in floats: ",
                join_first(lowered.float_layers, 2,
                           [](const FloatLayer& layer) { return concat(layer.name, " (", layer.why, ")"); }));
}

}  // namespace ntq
