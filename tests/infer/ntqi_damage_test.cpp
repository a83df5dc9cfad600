// Whatever stands in a .ntqi file, reading it ends in a graph or in a CheckpointError of one line.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/safetensors.h"
#include "infer/model.h"
#include "infer/ntqi.h"
#include "tests/infer/graphs.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::infer;
using namespace ntq::test;

namespace {

/// A few nodes, so that each bit of its file can be looked at.
Graph tiny_graph() {
  Values values(5);
  Graph g;
  g.image = {4, 4, 1};
  g.nodes.push_back(conv_node({.name = "conv", .inputs = {kImage}, .in = 1, .out = 4, .codes = image_codes()}, values));
  g.nodes.push_back({.op = Op::global_average, .name = "pool", .inputs = {0}});
  g.nodes.push_back(linear_node("fc", 1, 4, 3, {.bits = 4, .low = 0, .high = 15, .step = 0.25f}, values));
  g.classes = {"a", "b", "c"};
  return g;
}

/// In memory, where there is such a folder: files are flushed.
std::filesystem::path quick_place() {
  return std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
}

std::string file_of(const Graph& graph) {
  const TempFolder folder(quick_place());
  write_ntqi(folder / "a", graph);
  return read_file(folder / "a");
}

std::string error_of_bytes(const std::string& bytes) {
  return one_line_of<CheckpointError>([&] { Model::parse(bytes, "model.ntqi"); });
}

/// The file with its text and tensors changed, and checksums that hold.
template <class Change>
std::string changed_file(const std::string& bytes, Change change) {
  safetensors::Reader reader(bytes, "");
  safetensors::Header header = reader.header();
  std::vector<std::string> values(header.entries.size());
  reader.read_values([&](size_t i) {
    values[i].resize(static_cast<size_t>(header.entries[i].bytes()));
    return values[i].data();
  });
  change(header, values);
  const TempFolder folder(quick_place());
  safetensors::write(folder / "a", header, [&](size_t i) { return values[i].data(); });
  return read_file(folder / "a");
}

/// The error for a text of the graph in which the first `from` is `to`.
std::string error_with(const std::string& from, const std::string& to, const Graph& graph = tiny_graph()) {
  const std::string error = error_of_bytes(changed_file(file_of(graph), [&](safetensors::Header& header, auto&) {
    std::string& text = header.metadata.at("ntqi.graph");
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  }));
  CHECK(contains(error, "model.ntqi: "));
  return error;
}

std::string error_with_value(const std::string& tensor, float value) {
  return error_of_bytes(changed_file(file_of(tiny_graph()), [&](safetensors::Header& header, auto& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (header.entries[i].name == tensor) std::memcpy(values[i].data(), &value, sizeof value);
    }
  }));
}

}  // namespace

TEST_CASE("ntqi damage: every truncation is refused") {
  const std::string bytes = file_of(tiny_graph());
  REQUIRE(error_of_bytes(bytes).empty());
  for (size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(error_of_bytes(bytes.substr(0, length)).empty());
  }
}

TEST_CASE("ntqi damage: every flipped bit is refused") {
  const std::string bytes = file_of(tiny_graph());
  size_t accepted = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      accepted += error_of_bytes(flipped).empty();
    }
  }
  CHECK(accepted < 20);  // spaces that fill up the header, and the like
}

TEST_CASE("ntqi damage: format, checksums and other tensors") {
  const std::string bytes = file_of(tiny_graph());
  const auto changed = [&](auto change) { return error_of_bytes(changed_file(bytes, change)); };
  CHECK(contains(changed([](safetensors::Header& h, auto&) { h.metadata["ntqi.format"] = "3"; }),
                 "of format \"3\", this program reads 1 and 2; use a newer ntq"));
  CHECK(contains(changed([](safetensors::Header& h, auto&) { h.metadata.erase("ntqi.format"); }), "no .ntqi"));
  CHECK(contains(changed([](safetensors::Header& h, auto&) { h.metadata.erase("ntqi.graph"); }), "no .ntqi"));
  CHECK(contains(changed([](safetensors::Header& h, auto&) { h.entries[0].name = "x"; }), "no tensor \"conv.weight\""));
  CHECK(contains(changed([](safetensors::Header& h, auto& values) {
                   h.entries.push_back({"more", "U8", {1}});
                   values.push_back("x");
                 }),
                 "no node has the tensor \"more\""));
  std::string without = bytes;
  without.replace(without.find("ntq.crc32"), 9, "ntq.crc33");
  CHECK(contains(error_of_bytes(without), "has no checksums"));
  std::string value = bytes;
  value[value.size() - 3] = static_cast<char>(value[value.size() - 3] ^ 1);
  CHECK(contains(error_of_bytes(value), "has checksum"));
}

TEST_CASE("ntqi damage: the text of the graph") {
  CHECK(contains(error_with("\"conv\"", "\"conv3d\""), "node 0: unknown kind \"conv3d\""));
  CHECK(contains(error_with("{", ""), "no valid JSON"));
  CHECK(contains(error_with("\"nodes\":[", "\"nodes\":[[[[[[[[]]]]]]],"), "nested too deep"));
  CHECK(contains(error_with("\"crop\":\"whole\"", "\"crop\":\"odd\""), "unknown crop \"odd\""));
  CHECK(contains(error_with("\"crop\"", "\"cropp\""), "unknown key \"cropp\""));
  CHECK(contains(error_with("\"name\":\"pool\"", "\"name\":\"conv\""), "given twice"));
  CHECK(contains(error_with("\"mean\":[0.0]", "\"mean\":[0.0,0.0]"), "\"mean\" is no list of 1"));
  CHECK(contains(error_with("\"std\":[1.0]", "\"std\":[0.0]"), "deviation 0"));
  CHECK(contains(error_with("\"classes\":[\"a\",", "\"classes\":["), "2 class names for 3 logits"));
  CHECK(contains(error_with("\"inputs\":[0]", "\"inputs\":[1]"), "reads node 1, which is not before it"));
  CHECK(contains(error_with("\"inputs\":[0]", "\"inputs\":[-2]"), "reads node -2"));
  CHECK(contains(error_with("\"inputs\":[0]", "\"inputs\":[0.5]"), "no whole number"));
  CHECK(contains(error_with("\"inputs\":[0]", "\"inputs\":[99999999999999999999]"), "no whole number"));
  CHECK(contains(error_with("\"inputs\":[0]", "\"inputs\":[0,0]"), "has 2 inputs, expected 1"));
  CHECK(contains(error_with("\"relu\":true", "\"relu\":1"), "neither true nor false"));
  CHECK(contains(error_with("\"pad\":1", "\"pad\":3"), "padding 3"));
  CHECK(contains(error_with("\"pad\":1", "\"pad\":1,\"stride\":0"), "stride 0"));
  for (const std::string key : {"kernel", "stride", "pad", "extra"})
    CHECK(contains(error_with("\"inputs\":[0]", "\"inputs\":[0],\"" + key + "\":2"), "which it has no use for"));
  CHECK(contains(error_with("\"bits\":4", "\"bits\":1"), "weights of 1 bits"));
  CHECK(contains(error_with("\"bits\":4", "\"bits\":9"), "weights of 9 bits"));
  CHECK(contains(error_with("\"bits\":4", "\"bits\":4,\"halves\":17"), "stands for 17 halves of a step"));
  CHECK(contains(error_with("\"bits\":4", "\"bits\":4,\"halves\":-17"), "stands for -17 halves of a step"));
  CHECK(contains(error_with("\"bits\":4", "\"bits\":4,\"halves\":\"1\""), "\"halves\" is no whole number"));
  CHECK(contains(error_with("\"bits\":8,\"low\"", "\"bits\":9,\"low\""), "inputs of 9 bits"));
  CHECK(contains(error_with("\"bits\":8,\"low\"", "\"bits\":1,\"low\""), "inputs of 1 bits"));
  CHECK(contains(error_with("\"low\":-128", "\"low\":-129"), "codes from -129 to 127"));
  CHECK(contains(error_with("\"low\":-128", "\"low\":1"), "codes from 1 to 127"));
  CHECK(contains(error_with("\"shape\":[4,3,3,1]", "\"shape\":[4,3,3,2]"), "its weights take 18 bytes, expected 36"));
  CHECK(contains(error_with("\"shape\":[4,3,3,1]", "\"shape\":[2,3,6,1]"), "scale has 4 values, expected 2"));
  CHECK(contains(error_with("\"shape\":[4,3,3,1]", "\"shape\":[4,9,1,1]"), "padding 1"));
  CHECK(contains(error_with("\"shape\":[4,3,3,1]", "\"shape\":[4,3,3,-1]"), "size -1"));
  CHECK(
      contains(error_with("\"shape\":[4,3,3,1]", "\"shape\":[149539,7180,25579,83959]"), "too few for 149539 x 7180"));
  CHECK(contains(error_with("\"image\":[4,4,1]", "\"image\":[4,4,4]"), "\"mean\" is no list of 3"));
  CHECK(contains(error_with("\"image\":[4,4,1]", "\"image\":[4,4000000000,1]"), "beyond"));
  CHECK(contains(error_with("\"image\":[4,4,1]", "\"image\":[4,0,1]"), "images of {4,0,1}"));
}

TEST_CASE("ntqi damage: nodes that quantize") {
  Graph graph = tiny_graph();
  graph.nodes.pop_back();
  graph.nodes.push_back(quantize_node("skip", {1}, {.bits = 4, .low = -8, .high = 7, .step = 0.5f}));
  InputCodes moved{.bits = 2, .low = 0, .high = 3, .step = 0.5f, .offset = 1};
  moved.levels = {1, 1.5f, 2, 2.5f};
  graph.nodes.push_back(quantize_node("moved", {2, 1}, moved));
  graph.classes.clear();
  REQUIRE(error_of_bytes(file_of(graph)).empty());
  const auto error = [&](const std::string& from, const std::string& to) { return error_with(from, to, graph); };
  CHECK(contains(error(",\"codes\":{\"bits\":4,\"low\":-8,\"high\":7}", ""), "node 2: quantize without codes"));
  CHECK(contains(error("\"bits\":4,\"low\"", "\"bits\":9,\"low\""), "inputs of 9 bits"));
  CHECK(contains(error("\"bits\":4,\"low\"", "\"bits\":32,\"low\""), "codes of 32 bits"));
  CHECK(contains(error("\"low\":-8", "\"low\":-9"), "codes from -9 to 7"));
  CHECK(contains(error("\"high\":7}", "\"high\":7,\"offset\":true}"), "no tensor \"skip.offset\""));
  CHECK(contains(error("\"inputs\":[2,1]", "\"inputs\":[2,0]"), "gives {1,1,4} and adds {4,4,4}"));
  CHECK(contains(error("\"inputs\":[2,1]", "\"inputs\":[2,1,1]"), "\"inputs\" is no list of 1 to 2"));
  CHECK(contains(error("\"op\":\"global_average\"", "\"op\":\"relu\",\"codes\":{}"), "relu with codes"));
  const auto changed = [&](auto change) {
    Graph other = graph;
    change(other.nodes[2].codes);
    return one_line_of<CheckpointError>([&] { Model{other, "model"}; });
  };
  for (const float step : {0.0f, -0.5f, std::nanf("")})
    CHECK(contains(changed([&](InputCodes& c) { c.step = step; }), "model: node \"skip\": step"));
  CHECK(
      contains(changed([](InputCodes& c) { c.step = 1e38f; }), "step 1e+38, expected a number above 0, at most 1e+30"));
  CHECK(contains(changed([](InputCodes& c) { c.offset = 1; }), "have levels in a node of their own"));
  CHECK(contains(changed([](InputCodes& c) { c.thresholds.assign(15, 1.0f); }), "have levels in a node of their own"));
  CHECK(contains(changed([](InputCodes& c) { c = {}; }), "quantizes without codes"));
}

TEST_CASE("ntqi damage: numbers in tensors") {
  for (const float step : {0.0f, -0.5f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    CHECK(contains(error_with_value("conv.step", step), "model.ntqi: node \"conv\": step"));
  }
  CHECK(contains(error_with_value("conv.scale", std::nanf("")), "scale holds a value that is not finite"));
  CHECK(contains(error_with_value("fc.bias", std::nanf("")), "node \"fc\": bias holds"));
}

TEST_CASE("ntqi damage: memory in terabytes and sums beyond 32 bits are refused before anything is allocated") {
  Graph wide;
  wide.image = {4096, 4096, 3};
  for (int i = 0; i < 30; ++i) {
    const std::string name = "pad " + std::to_string(i);
    wide.nodes.push_back({.op = Op::subsample_pad, .name = name, .inputs = {i - 1}, .extra = 1 << 15});
  }
  CHECK(contains(one_line_of<CheckpointError>([&] { Model{wide, "wide"}; }), "makes more than 1073741824 values"));
  const std::string bytes = changed_file(file_of(tiny_graph()), [](safetensors::Header& header, auto&) {
    std::string& text = header.metadata.at("ntqi.graph");
    text.replace(text.find("[4,4,1]"), 7, "[4096,4096,1]");
  });
  CHECK(error_of_bytes(bytes).empty());  // large, but what was asked for
  Values values(1);
  Graph deep;
  deep.image = {148, 148, 3};
  deep.nodes.push_back(
      linear_node("fc", kImage, 148 * 148 * 3, 1, {.bits = 8, .low = 0, .high = 255, .step = 1}, values));
  CHECK(contains(one_line_of<CheckpointError>([&] { Model{deep, "deep"}; }), "may reach 2859786240"));
  deep.image = {74, 74, 3};
  deep.nodes[0] = linear_node("fc", kImage, 74 * 74 * 3, 1, {.bits = 8, .low = 0, .high = 255, .step = 1}, values);
  CHECK(one_line_of<CheckpointError>([&] { Model{deep, "deep"}; }).empty());
  deep.nodes[0].weights.halves = 256;
  CHECK(contains(one_line_of<CheckpointError>([&] { Model{deep, "deep"}; }), "may reach 2859786240"));
  Graph odd = mixed_graph();
  for (Node& node : odd.nodes) node.weights.halves = node.weights.levels.empty() ? 0 : 1;
  CHECK(contains(one_line_of<CheckpointError>([&] { Model{odd, "odd"}; }), "and 0 with levels"));
}
