#pragma once
// What an op says of itself, for the graph of a forward pass (graph.h).
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/tensor.h"

namespace ntq {

/// Settings of an op: integers, floats or text by name.
using Attribute = std::variant<int64_t, double, std::string>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;

/// What record() is told of an op. The name must not be empty.
struct OpInfo {
  const char* name;
  Attributes attributes = {};  ///< made only while graph_is_recorded()
};

/// Whether this thread's ops are being recorded just now: they then say their attributes.
bool graph_is_recorded();

/// While it lives, ops are not recorded: an op that is made of others is one node.
class GraphPause {
 public:
  GraphPause();
  ~GraphPause();
  GraphPause(const GraphPause&) = delete;
  GraphPause& operator=(const GraphPause&) = delete;

 private:
  void* before_;
};

/// For record(): appends the op to the graph that is being recorded, if any.
void note_op(const OpInfo& op, const Tensor& output, const std::vector<Tensor>& inputs);

}  // namespace ntq
