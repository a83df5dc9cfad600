// Files and graphs made to take memory or time: each is loaded or refused at once.
#include <doctest/doctest.h>

#include <ctime>
#include <functional>
#include <limits>
#include <optional>

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

/// Of this process, so that other work on the machine does not count.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
constexpr double kMostSeconds = 60;
#elif defined(__has_feature)
constexpr double kMostSeconds = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ? 60 : 1;
#else
constexpr double kMostSeconds = 1;
#endif

/// The error, "" where it loads; never later than that.
std::string load_in_time(const std::function<void()>& load) {
  const std::clock_t start = std::clock();
  const std::string error = one_line_of<CheckpointError>(load);
  CHECK(static_cast<double>(std::clock() - start) < kMostSeconds * CLOCKS_PER_SEC);
  return error;
}
std::string load_in_time(const Graph& graph) {
  return load_in_time([&] { Model{graph, "hostile"}; });
}

struct Hostile {
  int64_t side = 64, in = 1, out = 1, kernel = 64, pad = 63;
  int weight_bits = 2;
  InputCodes codes = {.bits = 2, .low = -2, .high = 1, .step = 1};
  int layers = 1;
};

/// `layers` convolutions of the same image, and logits of the last one.
Graph with_layers(const Hostile& h) {
  Graph g;
  g.image = {h.side, h.side, h.in};
  for (int i = 0; i < h.layers; ++i) {
    Node node{.op = Op::conv, .name = "c" + std::to_string(i), .inputs = {kImage}, .pad = h.pad};
    node.weights = {.out = h.out, .kernel_h = h.kernel, .kernel_w = h.kernel, .in = h.in, .bits = h.weight_bits};
    const auto size = static_cast<size_t>(node.weights.size());
    h.weight_bits == 32 ? node.weights.values.assign(size, 0.5f) : node.weights.codes.assign(size, 1);
    node.codes = h.codes;
    node.scale.assign(static_cast<size_t>(h.out), 1);
    node.bias = node.scale;
    if (h.codes.offset != 0) node.offset_scale = node.scale;
    g.nodes.push_back(std::move(node));
  }
  g.nodes.push_back({.op = Op::global_average, .name = "logits", .inputs = {h.layers - 1}});
  return g;
}

/// A file whose text of the graph is another one.
std::string file_with_text(const std::string& text) {
  const TempFolder folder;
  safetensors::Header header;
  header.metadata = {{"ntqi.format", "1"}, {"ntqi.graph", text}};
  safetensors::write(folder / "a", header, [](size_t) { return nullptr; });
  return read_file(folder / "a");
}
std::string load_text(const std::string& text) {
  const std::string bytes = file_with_text(text);
  return load_in_time([&] { Model::parse(bytes, "hostile"); });
}

/// The text of a graph with more keys in front.
std::string text_with(const std::string& more) {
  return "{" + more + R"("image":[1,1,1],"mean":[0],"std":[1],"crop":"whole","nodes":[)" +
         R"({"op":"relu","name":"a","inputs":[-1]}]})";
}

}  // namespace

TEST_CASE("hostile: large kernels have many sets of taps, which take no longer than their weights") {
  const InputCodes offset{.bits = 2, .low = 0, .high = 3, .step = 1, .offset = 0.5f};
  CHECK(load_in_time(with_layers({.out = 128})) == "");
  CHECK(load_in_time(with_layers({.out = 128, .codes = offset})) == "");
  CHECK(load_in_time(with_layers({.in = 3, .out = 32, .codes = offset, .layers = 4})) == "");
  // Sums of values are taken in one order: no short cut.
  CHECK(contains(load_in_time(with_layers({.out = 32, .weight_bits = 32, .codes = offset})), "operations to load"));
  CHECK(load_in_time(with_layers({.out = 64, .kernel = 7, .pad = 3, .weight_bits = 32, .codes = offset})) == "");
}

TEST_CASE("hostile: weights that fill a small part of the kernels' panels") {
  CHECK(load_in_time(with_layers({.layers = 60})) == "");
  CHECK(contains(load_in_time(with_layers({.layers = 120})), "operations to load; no trained network does"));
}

TEST_CASE("hostile: many values at the same time, many readers, many nodes") {
  Graph wide;
  wide.image = {1, 1, 1};
  for (int i = 0; i < 5000; ++i)
    wide.nodes.push_back({.op = Op::relu, .name = "r" + std::to_string(i), .inputs = {kImage}});
  for (int i = 5000; i < 9999; ++i)
    wide.nodes.push_back({.op = Op::add, .name = "a" + std::to_string(i), .inputs = {i - 5000, i - 1}});
  CHECK(load_in_time(wide) == "");
  const TempFolder folder;
  write_ntqi(folder / "wide", wide);
  CHECK(load_in_time([&] { Model::load(folder / "wide"); }) == "");
  wide.nodes.push_back({.op = Op::relu, .name = "x", .inputs = {0}});
  wide.nodes.push_back({.op = Op::relu, .name = "y", .inputs = {0}});
  CHECK(contains(load_in_time(wide), "a graph of 10001 nodes, expected 1 to 10000"));

  Graph readers = with_layers({.side = 1, .kernel = 1, .pad = 0, .layers = 9000});
  CHECK(contains(load_in_time(readers), "more than 256 layers that read it by codes"));
  for (size_t i = 0; i < 9000; ++i) readers.nodes[i].codes = {};
  CHECK(load_in_time(readers) == "");
}

TEST_CASE("hostile: each layer may keep its input in a form of its own") {
  Graph g = with_layers({.side = 1024, .in = 3, .kernel = 1, .pad = 0, .layers = 255});
  for (size_t i = 0; i < 255; ++i) g.nodes[i].codes.step = static_cast<float>(i + 1), g.nodes[i].stride = 1024;
  CHECK(load_in_time(g) == "");
  g.image.height = g.image.width = 2048;
  CHECK(contains(load_in_time(g), "makes more than 1073741824 values"));
}

TEST_CASE("hostile: the text of the graph") {
  CHECK(load_text(text_with("")) == "");
  std::string keys;
  for (int i = 0; i < 50'000; ++i) keys += '"' + std::to_string(i) + "\":1,";
  CHECK(contains(load_text(text_with(keys)), "an object of more than 16 keys"));
  CHECK(contains(load_text(text_with(R"("image":[2,2,1],)")), "has \"image\" twice"));
  CHECK(contains(load_text(text_with(R"("crop\n":[2,2,1],)")), R"(unknown key "crop\n")"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{},";
  CHECK(contains(load_text(text_with("\"classes\":[" + objects + "0],")), "a class name is no text"));
  std::string names = "\"classes\":[";
  for (int i = 0; i < 100'000; ++i) names += "\"\",";
  names.back() = ']';
  CHECK(contains(load_text(text_with(names + ",")), "100000 class names for 1 logits"));
  CHECK(contains(load_text(text_with("\"crop\":\"" + std::string(1'000'000, 'x') + "\",")), "has \"crop\" twice"));
  const std::string longest = load_text("[\"" + std::string(1'000'000, 'x') + "\"]");
  CHECK(longest.size() < 300);
}

TEST_CASE("hostile: numbers whose products are not finite") {
  const auto refused = [](const std::function<void(Graph&)>& change) {
    Graph g = with_layers({.side = 2, .kernel = 1, .pad = 0});
    change(g);
    return load_in_time(g);
  };
  CHECK(refused([](Graph& g) { g.nodes[0].codes.step = 1e30f; }) == "");
  CHECK(contains(refused([](Graph& g) { g.nodes[0].codes.step = 3e38f; }), "step 3e+38, expected a number above 0"));
  CHECK(contains(refused([](Graph& g) { g.nodes[0].scale[0] = -2e30f; }), "scale holds a value that is not finite or"));
  CHECK(contains(refused([](Graph& g) { g.nodes[0].bias[0] = 2e30f; }), "bias holds"));
  CHECK(contains(refused([](Graph& g) { g.nodes[0].codes.offset = 2e30f; }), "offset 2e+30"));
  CHECK(contains(refused([](Graph& g) { g.preprocessing.deviation[0] = 1e-44f; }), "and deviation 9.80909e-45"));
  CHECK(contains(refused([](Graph& g) { g.preprocessing.mean[0] = std::nanf(""); }), "mean nan"));
}
