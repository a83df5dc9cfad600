// A model gives what the graph says, to the bit: for any batch, threads and form of the images.
#include <doctest/doctest.h>

#include <cstring>
#include <thread>

#include "base/check.h"
#include "base/isa.h"
#include "infer/model.h"
#include "tests/infer/graphs.h"
#include "tests/support/deploy_oracle.h"

using namespace ntq;
using namespace ntq::infer;
using namespace ntq::test;

namespace {

using RunTasks = std::function<void(int, const std::function<void(int)>&)>;

void on_threads(int tasks, const std::function<void(int)>& task) {
  std::vector<std::thread> pool;
  for (int t = 0; t < tasks; ++t) pool.emplace_back([&task, t] { task(t); });
  for (std::thread& t : pool) t.join();
}

std::vector<float> run(const Model& model, const std::vector<uint8_t>& images, int64_t batch, int threads = 1,
                       const RunTasks& run_tasks = on_threads) {
  ParallelFor parallel;
  if (threads > 1) parallel = {threads, run_tasks};
  Workspace work(model, batch, parallel);
  const int64_t size = model.image().size(), count = static_cast<int64_t>(images.size()) / size;
  std::vector<float> logits(static_cast<size_t>(count * model.classes()));
  for (int64_t i = 0; i < count; i += batch) {
    model.run(images.data() + i * size, std::min(batch, count - i), logits.data() + i * model.classes(), work);
  }
  return logits;
}

/// What the images are normalised to, {N,H,W,C}.
std::vector<float> normalised(const Model& model, const std::vector<uint8_t>& images) {
  std::vector<float> out;
  for (size_t i = 0; i < images.size(); ++i) {
    const auto channel = i % static_cast<size_t>(model.image().channels);
    out.push_back(model.normalised_bytes()[channel * 256 + images[i]]);
  }
  return out;
}

/// By plain loops.
std::vector<float> expected(const Graph& graph, const std::vector<uint8_t>& images) {
  const std::vector<float> all = normalised(Model(graph), images);
  std::vector<float> out;
  for (auto image = all.begin(); image != all.end(); image += graph.image.size()) {
    const auto logits = oracle_run(graph, {image, image + graph.image.size()}).outputs.back().values;
    out.insert(out.end(), logits.begin(), logits.end());
  }
  return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// The values of one of its nodes, for each channel the average: they differ where one of a few differs.
Graph ending_at(Graph graph, const std::string& name) {
  while (graph.nodes.back().name != name) graph.nodes.pop_back();
  const int last = static_cast<int>(graph.nodes.size()) - 1;
  graph.nodes.push_back({.op = Op::global_average, .name = "end", .inputs = {last}});
  return graph;
}

/// Not all the same, and of many values: else nothing is tested.
bool varied(const std::vector<float>& logits) {
  std::vector<float> sorted = logits;
  std::sort(sorted.begin(), sorted.end());
  const auto different = std::unique(sorted.begin(), sorted.end()) - sorted.begin();
  return different > static_cast<std::ptrdiff_t>(logits.size() / 2) && std::isfinite(sorted.front() + sorted.back());
}

}  // namespace

TEST_CASE("run: residual nets of all widths give what plain loops give") {
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    for (const bool is_signed : {false, true}) {
      CAPTURE(bits);
      CAPTURE(is_signed);
      NetOptions o{.side = 9, .width = 16, .weight_bits = bits, .seed = static_cast<uint32_t>(bits)};
      const int half = 1 << (bits - 1);
      o.codes = {.bits = bits, .low = is_signed ? -half : 0, .high = is_signed ? half - 1 : 2 * half - 1};
      o.codes.step = 2.0f / static_cast<float>(o.codes.high);
      const Graph graph = residual_graph(o);
      const auto images = some_images(graph, 2);
      const auto wanted = expected(graph, images);
      CHECK(varied(wanted));
      for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
        CAPTURE(isa);
        CHECK(same_bits(run(Model(graph, "graph", isa), images, 2), wanted));
      }
    }
  }
}

TEST_CASE("run: weights at halves of a step give what plain loops give") {
  for (const int bits : {2, 4, 6, 7, 8}) {
    for (const int halves : {1, 1 << bits, -3}) {
      CAPTURE(bits);
      CAPTURE(halves);
      NetOptions o{.side = 9, .width = 16, .weight_bits = bits, .seed = 5, .halves = halves};
      o.codes = {.bits = 4, .low = bits == 4 ? -8 : 0, .high = bits == 4 ? 7 : 15, .step = 0.125f};
      const Graph graph = residual_graph(o);
      const auto images = some_images(graph, 2);
      const auto wanted = expected(graph, images);
      CHECK(varied(wanted));
      for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
        CAPTURE(isa);
        CHECK(same_bits(run(Model(graph, "graph", isa), images, 2), wanted));
      }
    }
  }
}

TEST_CASE("run: floats, levels, offsets, thresholds and pooling give what plain loops give") {
  for (const uint32_t seed : {2u, 3u, 4u}) {
    const Graph graph = mixed_graph(seed);
    const auto images = some_images(graph, 3, seed);
    const auto wanted = expected(graph, images);
    CHECK(varied(wanted));
    for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
      CAPTURE(isa);
      CHECK(same_bits(run(Model(graph, "graph", isa), images, 3), wanted));
    }
  }
}

TEST_CASE("run: what is quantized between layers gives what plain loops give, at every node") {
  for (const int bits : {2, 4, 8}) {
    const Graph graph = skip_graph(bits, static_cast<uint32_t>(bits));
    const auto images = some_images(graph, 3);
    CHECK(varied(expected(ending_at(graph, "fc"), images)));
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      CAPTURE(graph.nodes[n].name);
      const Graph part = ending_at(graph, graph.nodes[n].name);
      const auto wanted = expected(part, images);
      for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
        CAPTURE(isa);
        CHECK(same_bits(run(Model(part, "graph", isa), images, 3), wanted));
      }
    }
  }
}

TEST_CASE("run: sums of codes are those of plain loops in any batch, on any instruction set") {
  const Graph graph = skip_graph(8, 6);
  const auto images = some_images(graph, 129);
  const auto wanted = expected(graph, images);
  for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
    const Model model(graph, "graph", isa);
    for (const int64_t batch : {1, 7, 128}) {
      CAPTURE(isa);
      CAPTURE(batch);
      CHECK(same_bits(run(model, images, batch, batch == 7 ? 2 : 1), wanted));
    }
  }
}

TEST_CASE("run: large weights have the same sums for few pixels, directly, and for many, by Winograd") {
  Values values(3);
  Graph graph;
  graph.image = {3, 3, 3};
  graph.preprocessing = {.mean = {0.5f, 0.4f, 0.5f}, .deviation = {0.25f, 0.25f, 0.2f}};
  const InputCodes both{.bits = 4, .low = -8, .high = 7, .step = 0.25f};
  graph.nodes.push_back(conv_node(
      {.name = "stem", .inputs = {kImage}, .in = 3, .out = 512, .kernel = 1, .codes = image_codes(), .relu = false},
      values));
  graph.nodes.push_back(conv_node({.name = "large", .inputs = {0}, .in = 512, .out = 256, .codes = both}, values));
  graph = ending_at(graph, "large");
  const auto images = some_images(graph, 8);
  const auto wanted = expected(graph, images);
  CHECK(varied(wanted));
  const Model model(graph);
  for (const int64_t batch : {1, 8}) {
    for (const int threads : {1, 2}) CHECK(same_bits(run(model, images, batch, threads), wanted));
  }
}

TEST_CASE("run: threads that share an image may come one after the other, in any order, or late") {
  const auto last_first = [](int tasks, const std::function<void(int)>& task) {
    for (int t = tasks - 1; t >= 0; --t) task(t);
  };
  const auto one_late = [](int tasks, const std::function<void(int)>& task) {
    std::thread late([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      task(0);
    });
    for (int t = 1; t < tasks; ++t) task(t);
    late.join();
  };
  const Graph graph = mixed_graph();
  const Model model(graph);
  const auto images = some_images(graph, 3);
  const auto wanted = run(model, images, 1);
  for (const RunTasks& tasks : {RunTasks(last_first), RunTasks(one_late)}) {
    CHECK(same_bits(run(model, images, 1, 3, tasks), wanted));
    CHECK(same_bits(run(model, images, 2, 4, tasks), wanted));
  }
}

TEST_CASE("run: batch and threads change no bit") {
  for (const Graph& graph : {residual_graph({.side = 12}), residual_graph({.weight_bits = 8, .halves = 1}),
                             residual_graph({.weight_bits = 4, .halves = 1}), mixed_graph(), skip_graph()}) {
    const Model model(graph);
    const auto images = some_images(graph, 13);
    const auto wanted = run(model, images, 1);
    for (const int64_t batch : {1, 2, 7, 13, 64}) {
      for (const int threads : {1, 2, 3}) {
        CAPTURE(batch);
        CAPTURE(threads);
        CHECK(same_bits(run(model, images, batch, threads), wanted));
      }
    }
  }
}

TEST_CASE("run: normalised floats give what bytes give") {
  for (const Graph& graph : {residual_graph(), mixed_graph(), skip_graph()}) {
    const Model model(graph);
    const auto images = some_images(graph, 3);
    const std::vector<float> floats = normalised(model, images);
    Workspace work(model, 3);
    std::vector<float> logits(static_cast<size_t>(3 * model.classes()));
    model.run(floats.data(), 3, logits.data(), work);
    CHECK(same_bits(logits, run(model, images, 3)));
  }
}

TEST_CASE("run: models are shared by threads, each with its own workspace") {
  const Graph graph = residual_graph();
  const Model model(graph);
  const auto images = some_images(graph, 9);
  const auto wanted = run(model, images, 4);
  std::vector<std::vector<float>> found(4);
  std::vector<std::thread> threads;
  for (auto& logits : found) threads.emplace_back([&] { logits = run(Model(model), images, 4); });
  for (std::thread& t : threads) t.join();
  for (const auto& logits : found) CHECK(same_bits(logits, wanted));
}

TEST_CASE("run: bytes are normalised as data sets are, photographs as their rows are") {
  Graph g = residual_graph();
  const Preprocessing& p = g.preprocessing;
  for (const char* crop : {"whole", "paper", "field"}) {
    g.preprocessing.crop = crop;
    const Model model(g);
    for (size_t c = 0; c < 3; ++c) {
      const float scale = 1 / (255 * p.deviation[c]), shift = -p.mean[c] / p.deviation[c];
      for (size_t byte = 0; byte < 256; ++byte) {
        const auto v = static_cast<float>(byte);
        const float product = v * scale;
        const bool whole = g.preprocessing.crop == "whole";
        CHECK(model.normalised_bytes()[c * 256 + byte] ==
              (whole ? (v / 255.0f - p.mean[c]) / p.deviation[c] : product + shift));
      }
    }
  }
}

TEST_CASE("run: a convolution of floats may add what it reads") {
  Values values(3);
  Graph g;
  g.image = {6, 6, 3};
  g.nodes.push_back(conv_node({.name = "a", .inputs = {kImage}, .in = 3, .out = 8, .codes = {}}, values));
  g.nodes.push_back(conv_node({.name = "b", .inputs = {0, 0}, .in = 8, .out = 8, .codes = {}}, values));
  g.nodes.push_back({.op = Op::global_average, .name = "pool", .inputs = {1}});
  const auto images = some_images(g, 3);
  CHECK(same_bits(run(Model(g), images, 3), expected(g, images)));
}

TEST_CASE("run: a convolution by hand") {
  // Image 2x2: bytes 0, 255, 51, 102 -> 0, 1, 0.2, 0.4; codes of step 0.1, at most 7: 0, 7, 2, 4.
  Graph g;
  g.image = {2, 2, 1};
  g.nodes.push_back({.op = Op::conv, .name = "conv", .inputs = {kImage}, .pad = 1});
  Node& conv = g.nodes[0];
  conv.weights = {.out = 1, .kernel_h = 3, .kernel_w = 3, .in = 1, .bits = 4, .codes = {1, 2, 3, 4, -5, 6, 7, -8, -1}};
  conv.codes = {.bits = 3, .low = 0, .high = 7, .step = 0.1f};
  conv.scale = {0.5f};
  conv.bias = {-1};
  // Top left: -5*0 + 6*7 - 8*2 - 1*4 = 22 -> 10; top right: 4*0 - 5*7 + 7*2 - 8*4 = -53 -> 0; below: 2*0 + 3*7 - 5*2 +
  // 6*4 = 35 -> 16.5; 1*0 + 2*7 + 4*2 - 5*4 = 2 -> 0.
  conv.relu = true;
  g.nodes.push_back({.op = Op::global_average, .name = "pool", .inputs = {0}});
  CHECK(run(Model(g), {0, 255, 51, 102}, 1) == std::vector{26.5f / 4});
}

TEST_CASE("run: an instruction set that is not there is refused") {
  CHECK_THROWS_AS(Model(residual_graph(), "graph", "mmx"), DeviceError);
}

TEST_CASE("run: a workspace of another model is refused") {
  const Model a(residual_graph()), b(residual_graph());
  Workspace work(a);
  float logits[10];
  const auto images = some_images(residual_graph(), 1);
  CHECK_THROWS_AS(b.run(images.data(), 1, logits, work), std::invalid_argument);
  CHECK_THROWS_AS(a.run(static_cast<const uint8_t*>(nullptr), 1, logits, work), std::invalid_argument);
}
