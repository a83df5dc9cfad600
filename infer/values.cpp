#include "infer/values.h"

#include <algorithm>

#include "infer/codes.h"

namespace ntq::infer {
namespace {

bool reads_codes(const Node& node, size_t input) { return input == 0 && node.may_quantize() && node.codes.present(); }

}  // namespace

Value::Codes& Value::find(const InputCodes& wanted) {
  return *std::find_if(codes.begin(), codes.end(), [&](const Codes& c) { return same_bytes(*c.codes, wanted); });
}

Values::Values(const Graph& graph) : graph_(graph), values_(graph.nodes.size() + 1) {
  const int nodes = static_cast<int>(graph.nodes.size());
  for (int n = 0; n < nodes; ++n) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Value& v = of(node.inputs[i]);
      v.readers.push_back(n);
      const bool codes = reads_codes(node, i);
      if (!codes) v.wants_floats = true, ++v.reads_left;
      const auto known = [&](const Value::Codes& c) { return same_bytes(*c.codes, node.codes); };
      if (codes && std::none_of(v.codes.begin(), v.codes.end(), known)) v.codes.push_back({&node.codes});
    }
  }
  Value& logits = of(nodes - 1);
  logits.wants_floats = true, ++logits.reads_left;
}

void Values::start(int node) {
  const Node& reader = graph_.nodes[static_cast<size_t>(node)];
  for (size_t i = 0; i < reader.inputs.size(); ++i) {
    if (!reads_codes(reader, i)) --of(reader.inputs[i]).reads_left;
  }
}

int Values::quantizer_of(int node) {
  const std::vector<int>& readers = of(node).readers;
  if (readers.size() != 1) return -1;
  const Node& next = graph_.nodes[static_cast<size_t>(readers[0])];
  const bool plain = next.op == Op::quantize && is_plain(next.codes) && next.codes.levels.empty();
  return plain && next.inputs[0] == node ? readers[0] : -1;
}

}  // namespace ntq::infer
