#include "infer/ntqi.h"

#include <algorithm>
#include <deque>

#include "base/ceil_div.h"
#include "base/check.h"
#include "base/printable.h"
#include "base/safetensors.h"
#include "infer/graph_json.h"

namespace ntq::infer {
namespace {

constexpr const char *kFormatKey = "ntqi.format", *kGraphKey = "ntqi.graph", *kNotePrefix = "ntqi.note.";

/// A tensor of the file and where its values are in memory.
struct Tensor {
  std::string name, dtype;
  std::vector<int64_t> sizes;
  void* values;
};

/// Of packed weights, whose bytes stand in the file.
struct Packed {
  size_t node;
  std::vector<uint8_t> bytes;
};

int64_t packed_bytes(const Weights& w) { return ceil_div(w.size() * w.bits, 8); }

/// The tensors of a graph, in the order of its nodes. Reading resizes first; both sides have one list of names so.
class Tensors {
 public:
  std::vector<Tensor> list;
  std::deque<Packed> packed;

  void add_node(Node& node, size_t index) {
    const std::string& name = node.name;
    if (node.has_weights()) add_weights(node, index);
    if (!node.scale.empty()) add(name + ".scale", node.scale);
    if (!node.bias.empty()) add(name + ".bias", node.bias);
    if (!node.offset_scale.empty()) add(name + ".offset_scale", node.offset_scale);
    if (!node.may_quantize() || !node.codes.present()) return;
    InputCodes& codes = node.codes;
    if (codes.thresholds.empty()) list.push_back({name + ".step", "F32", {1}, &codes.step});
    if (codes.offset != 0) list.push_back({name + ".offset", "F32", {1}, &codes.offset});
    if (!codes.thresholds.empty()) add(name + ".thresholds", codes.thresholds);
    if (!codes.levels.empty()) add(name + ".input_levels", codes.levels);
  }

 private:
  void add(std::string name, std::vector<float>& values) {
    list.push_back({std::move(name), "F32", {static_cast<int64_t>(values.size())}, values.data()});
  }
  void add_weights(Node& node, size_t index) {
    Weights& w = node.weights;
    if (w.bits == 32) {
      list.push_back({node.name + ".weight", "F32", {w.out, w.kernel_h, w.kernel_w, w.in}, w.values.data()});
      return;
    }
    packed.push_back({index, {}});
    if (!w.codes.empty())
      packed.back().bytes = pack_codes(w.codes, w.bits);
    else
      packed.back().bytes.resize(static_cast<size_t>(packed_bytes(w)));
    list.push_back({node.name + ".weight", "U8", {packed_bytes(w)}, packed.back().bytes.data()});
    if (w.levels.empty()) return;
    const int64_t table = int64_t{1} << w.bits, levels = static_cast<int64_t>(w.levels.size());
    list.push_back({node.name + ".levels", "F32",
                    levels == table ? std::vector{table} : std::vector{levels / table, table}, w.levels.data()});
  }
};

int format_of(const Graph& graph) {
  const bool halves =
      std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) { return node.weights.halves != 0; });
  return halves ? kFormat : 1;
}

[[noreturn]] void refuse(const std::string& name, const std::string& message) {
  throw CheckpointError(concat(printable(name), ": ", message));
}

/// The bytes of the file bound what is allocated for a node: its weights are there or nothing is.
void make_room(Node& node, const Expected& expected, const std::map<std::string, size_t>& entries,
               const safetensors::Header& header, const std::string& name) {
  const auto refuse_weights = [&](const std::string& why) {
    refuse(name, concat("node ", in_quotes(node.name), ": ", why));
  };
  const auto sized = [&](const char* part) {
    const auto found = entries.find(node.name + part);
    if (found == entries.end()) refuse_weights(concat("the file has no tensor ", in_quotes(node.name + part)));
    return header.entries[found->second].bytes();
  };
  if (expected.offset) node.codes.offset = 1;  // there is one
  if (expected.thresholds) node.codes.thresholds.resize(sized(".thresholds") / sizeof(float));
  if (expected.input_levels) node.codes.levels.resize(sized(".input_levels") / sizeof(float));
  if (!node.has_weights() && node.op != Op::affine) return;
  const auto channels = sized(".scale") / sizeof(float);
  node.scale.resize(channels);
  node.bias.resize(channels);
  if (expected.offset && !expected.input_levels) node.offset_scale.resize(channels);
  if (!node.has_weights()) return;
  Weights& w = node.weights;
  if (w.bits != 32 && (w.bits < 2 || w.bits > 8))
    refuse_weights(concat("weights of ", w.bits, " bits, expected 2 to 8, or 32"));
  // At least two bits each, so that the product below is one that the file has room for.
  const auto most = static_cast<int64_t>(sized(".weight")) * 4;
  for (int64_t left = most; const int64_t n : {w.out, w.kernel_h, w.kernel_w, w.in}) {
    if (n < 1 || left / n < 1)
      refuse_weights(concat("its weights take ", sized(".weight"), " bytes, too few for ", w.out, " x ", w.kernel_h,
                            " x ", w.kernel_w, " x ", w.in));
    left /= n;
  }
  const auto bytes = w.bits == 32 ? w.size() * 4 : packed_bytes(w);
  if (static_cast<uint64_t>(bytes) != sized(".weight"))
    refuse_weights(concat("its weights take ", sized(".weight"), " bytes, expected ", bytes));
  if (w.bits == 32) w.values.resize(static_cast<size_t>(w.size()));
  if (expected.levels > 0) {
    const int64_t table = int64_t{1} << std::min(w.bits, 8);
    if (expected.levels != table && expected.levels != table * w.out)
      refuse_weights(concat(expected.levels, " levels, expected ", table, " or ", table * w.out));
    if (static_cast<uint64_t>(expected.levels) * 4 != sized(".levels")) refuse_weights("levels of another number");
    w.levels.resize(static_cast<size_t>(expected.levels));
  }
}

Graph read_graph(safetensors::Reader& reader, const std::string& name) {
  const safetensors::Header& header = reader.header();
  const auto format = header.metadata.find(kFormatKey), text = header.metadata.find(kGraphKey);
  if (format == header.metadata.end() || text == header.metadata.end()) {
    refuse(name,
           "a safetensors file, but no .ntqi (no \"ntqi.format\" and \"ntqi.graph\"); ntq-export --format packed "
           "makes one of a checkpoint");
  }
  if (format->second != "1" && format->second != std::to_string(kFormat)) {
    refuse(name, concat("of format ", in_quotes(format->second), ", this program reads 1 and ", kFormat,
                        "; use a newer ntq or export it again"));
  }
  if (!reader.has_checksums()) refuse(name, "has no checksums; the file is damaged, use another copy");
  ParsedGraph parsed = graph_from_json(text->second, name);
  Graph& graph = parsed.graph;
  for (const auto& [key, value] : header.metadata) {
    if (key.starts_with(kNotePrefix)) graph.notes[key.substr(std::string_view(kNotePrefix).size())] = value;
  }
  std::map<std::string, size_t> entries;
  for (size_t i = 0; i < header.entries.size(); ++i) entries[header.entries[i].name] = i;

  Tensors tensors;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    make_room(graph.nodes[i], parsed.expected[i], entries, header, name);
    tensors.add_node(graph.nodes[i], i);
  }
  std::vector<void*> places(header.entries.size());
  for (const Tensor& tensor : tensors.list) {
    const auto found = entries.find(tensor.name);
    if (found == entries.end()) refuse(name, concat("the file has no tensor ", in_quotes(tensor.name)));
    const safetensors::Entry wanted{tensor.name, tensor.dtype, tensor.sizes};
    const safetensors::Entry& entry = header.entries[found->second];
    if (entry.dtype != tensor.dtype || entry.sizes != tensor.sizes) {
      refuse(name, concat("tensor ", in_quotes(tensor.name), " is ", entry.dtype, " ", entry.shape(), ", expected ",
                          tensor.dtype, " ", wanted.shape()));
    }
    if (places[found->second] != nullptr) refuse(name, concat("two nodes share tensor ", in_quotes(tensor.name)));
    places[found->second] = tensor.values;
  }
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] == nullptr) refuse(name, concat("no node has the tensor ", in_quotes(header.entries[i].name)));
  }
  reader.read_values([&](size_t i) { return places[i]; });
  for (const Packed& p : tensors.packed) {
    Weights& w = graph.nodes[p.node].weights;
    w.codes = unpack_codes(p.bytes.data(), w.size(), w.bits);
  }
  check_graph(graph, name);
  return graph;
}

}  // namespace

void write_ntqi(const std::string& path, const Graph& graph) {
  check_graph(graph, path);
  Graph copy = graph;  // tensors are listed by places that may be written to
  Tensors tensors;
  for (size_t i = 0; i < copy.nodes.size(); ++i) tensors.add_node(copy.nodes[i], i);
  safetensors::Header header;
  header.metadata = {{kFormatKey, std::to_string(format_of(graph))}, {kGraphKey, graph_to_json(graph)}};
  for (const auto& [key, value] : graph.notes) header.metadata[kNotePrefix + key] = value;
  for (const Tensor& t : tensors.list) header.entries.push_back({t.name, t.dtype, t.sizes});
  safetensors::write(path, header, [&](size_t i) { return tensors.list[i].values; });
}

Graph read_ntqi(const std::string& path) {
  safetensors::Reader reader(path);
  return read_graph(reader, path);
}

Graph parse_ntqi(std::string_view bytes, const std::string& name) {
  safetensors::Reader reader(bytes, name);
  return read_graph(reader, name);
}

bool is_ntqi(const std::string& path) {
  try {
    return safetensors::Reader(path).header().metadata.contains(kFormatKey);
  } catch (const CheckpointError&) {
    return false;
  }
}

}  // namespace ntq::infer
