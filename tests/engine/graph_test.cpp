// A forward pass as a list of ops.
#include "engine/graph.h"

#include <doctest/doctest.h>

#include <functional>
#include <map>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/conv.h"
#include "engine/ops/linear.h"
#include "engine/ops/loss.h"
#include "engine/ops/norm.h"
#include "engine/ops/pool.h"
#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/subsample.h"
#include "engine/ops/unary.h"

using namespace ntq;

namespace {

/// A module whose forward pass is what it is given.
class Body : public Module {
 public:
  explicit Body(std::function<Tensor(const Tensor&)> body) : body_(std::move(body)) {
    weight = register_parameter("weight", Tensor::full({3}, 2));
    mean = register_buffer("mean", Tensor::zeros({3}));
  }
  Tensor forward(const Tensor& x) override { return body_(x); }
  Tensor weight, mean;

 private:
  std::function<Tensor(const Tensor&)> body_;
};

Graph graph_of(const Shape& shape, std::function<Tensor(const Tensor&)> body) {
  Body module(std::move(body));
  return record_graph(module, Tensor::full(shape, 1));
}

}  // namespace

TEST_CASE("a graph names ops, parameters, the input and the output") {
  Tensor* weight = nullptr;
  Body module([&](const Tensor& x) { return relu(add(mul(x, *weight), 1.0f)); });
  weight = &module.weight;
  const Graph g = record_graph(module, Tensor::full({2, 3}, 1));
  REQUIRE(g.nodes.size() == 3);
  CHECK(g.nodes[0].op == "mul");
  CHECK(g.nodes[1].op == "add");
  CHECK(g.nodes[2].op == "relu");
  CHECK(g.nodes[0].inputs[0] == g.input);
  const auto value = [&](int i) { return g.values.at(static_cast<size_t>(i)); };
  CHECK(value(g.input).name == "input");
  CHECK(value(g.nodes[0].inputs[1]).name == "weight");
  CHECK(value(g.nodes[1].inputs[0]).name.empty());
  CHECK(g.nodes[1].inputs[0] == g.nodes[0].output);
  CHECK(value(g.nodes[1].inputs[1]).name == "constant");
  CHECK(g.output == g.nodes[2].output);
  CHECK(value(g.output).shape == Shape{2, 3});
  CHECK(module.training());
  CHECK_FALSE(graph_is_recorded());
  relu(Tensor::zeros({1}));  // not recorded any more
}

TEST_CASE("every op is one node of its name, with what a reader has to know") {
  const Tensor filters = Tensor::full({2, 3, 3, 3}, 1), three = Tensor::full({3}, 1), step = Tensor::full({1}, .5f);
  const Tensor matrix = Tensor::full({4, 3}, 1), labels = Tensor::from<int32_t>({2}, std::vector<int32_t>{0, 1});
  const std::map<std::string, std::pair<Shape, std::function<Tensor(const Tensor&)>>> ops = {
      {"neg", {{2}, [](const Tensor& x) { return neg(x); }}},
      {"abs", {{2}, [](const Tensor& x) { return ntq::abs(x); }}},
      {"square", {{2}, [](const Tensor& x) { return square(x); }}},
      {"sqrt", {{2}, [](const Tensor& x) { return ntq::sqrt(x); }}},
      {"exp", {{2}, [](const Tensor& x) { return ntq::exp(x); }}},
      {"log", {{2}, [](const Tensor& x) { return ntq::log(x); }}},
      {"tanh", {{2}, [](const Tensor& x) { return ntq::tanh(x); }}},
      {"sigmoid", {{2}, [](const Tensor& x) { return sigmoid(x); }}},
      {"sign", {{2}, [](const Tensor& x) { return sign(x); }}},
      {"floor", {{2}, [](const Tensor& x) { return ntq::floor(x); }}},
      {"round", {{2}, [](const Tensor& x) { return ntq::round(x); }}},
      {"round_straight_through", {{2}, [](const Tensor& x) { return round_straight_through(x); }}},
      {"clamp", {{2}, [](const Tensor& x) { return clamp(x, 0, 1); }}},
      {"scale", {{2}, [](const Tensor& x) { return scale(x, 2); }}},
      {"cast", {{2}, [](const Tensor& x) { return cast(x, DType::bf16); }}},
      {"relu", {{2}, [](const Tensor& x) { return relu(x); }}},
      {"add", {{2}, [](const Tensor& x) { return add(x, x); }}},
      {"sub", {{2}, [](const Tensor& x) { return sub(x, x); }}},
      {"mul", {{2}, [](const Tensor& x) { return mul(x, x); }}},
      {"div", {{2}, [](const Tensor& x) { return div(x, x); }}},
      {"min", {{2}, [](const Tensor& x) { return min(x, x); }}},
      {"max", {{2}, [](const Tensor& x) { return max(x, x); }}},
      {"less", {{2}, [](const Tensor& x) { return less(x, x); }}},
      {"less_equal", {{2}, [](const Tensor& x) { return less_equal(x, x); }}},
      {"equal", {{2}, [](const Tensor& x) { return equal(x, x); }}},
      {"where", {{2}, [](const Tensor& x) { return where(x, x, x); }}},
      {"sum", {{2, 3}, [](const Tensor& x) { return sum(x, {1}); }}},
      {"mean", {{2}, [](const Tensor& x) { return mean(x); }}},
      {"reshape",
       {{2},
        [](const Tensor& x) {
          return reshape(x, {1, 2});
        }}},
      {"subsample_pad_channels", {{1, 4, 4, 3}, [](const Tensor& x) { return subsample_pad_channels(x, 2, 1); }}},
      {"conv2d", {{1, 4, 4, 3}, [&](const Tensor& x) { return conv2d(x, filters, {.stride = 2, .padding = 1}); }}},
      {"linear", {{2, 3}, [&](const Tensor& x) { return linear(x, matrix); }}},
      {"batch_norm",
       {{2, 3},
        [&](const Tensor& x) {
          return batch_norm(x, {three, three, three, three, .1f, 1e-5f, false});
        }}},
      {"max_pool2d", {{1, 4, 4, 3}, [](const Tensor& x) { return max_pool2d(x, {}); }}},
      {"avg_pool2d", {{1, 4, 4, 3}, [](const Tensor& x) { return avg_pool2d(x, {}); }}},
      {"global_avg_pool", {{1, 4, 4, 3}, [](const Tensor& x) { return global_avg_pool(x); }}},
      {"softmax_cross_entropy", {{2, 3}, [&](const Tensor& x) { return softmax_cross_entropy(x, labels); }}},
      {"quantize",
       {{2},
        [&](const Tensor& x) {
          return quantize(x, step, {.range = {-8, 7}});
        }}},
      {"mine", {{2}, [](const Tensor& x) {
                  return custom_grad(
                      {"mine"}, {x}, [&] { return neg(neg(x)); }, [](const Tensor& g) { return std::vector{g}; });
                }}}};
  for (const auto& entry : ops) {
    const std::string& name = entry.first;
    const auto& op = entry.second;
    CAPTURE(name);
    const Graph g = graph_of(op.first, op.second);
    REQUIRE(g.nodes.size() == 1);
    CHECK(g.nodes[0].op == name);
    CHECK(g.nodes[0].inputs.at(0) == g.input);
    CHECK(g.nodes[0].output == g.output);
  }
  const Graph conv = graph_of({1, 4, 4, 3}, ops.at("conv2d").second);
  CHECK(conv.nodes[0].attributes == Attributes{{"stride", int64_t{2}}, {"padding", int64_t{1}}});
  const Graph clamped = graph_of({2}, ops.at("clamp").second);
  CHECK(clamped.nodes[0].attributes == Attributes{{"low", 0.0}, {"high", 1.0}});
  const Graph normed = graph_of({2, 3}, ops.at("batch_norm").second);
  CHECK(normed.nodes[0].inputs.size() == 6);
  CHECK(normed.nodes[0].inputs[3] == -1);  // no residual
}

TEST_CASE("an op without a name cannot be recorded, whether a graph is wanted or not") {
  const auto nothing = [](const Tensor& g) { return std::vector{g}; };
  CHECK_THROWS_WITH_AS(record({""}, Tensor::zeros({1}), {}, nothing), doctest::Contains("needs a name"),
                       std::invalid_argument);
  CHECK_THROWS_AS(record({nullptr}, Tensor::zeros({1}), {}, nothing), std::invalid_argument);
}

TEST_CASE("an error in the forward pass ends the recording; recordings do not nest") {
  CHECK_THROWS_AS(graph_of({2}, [](const Tensor& x) { return add(x, Tensor::zeros({5})); }), std::invalid_argument);
  CHECK_FALSE(graph_is_recorded());
  CHECK_THROWS_WITH_AS(
      graph_of({2}, [](const Tensor& x) { return graph_of({2}, [](const Tensor& y) { return neg(y); }), x; }),
      doctest::Contains("already"), std::invalid_argument);
  CHECK_FALSE(graph_is_recorded());
}

TEST_CASE("a graph has the values of parameters and constants, and says whose ops are a part's") {
  Body module([&](const Tensor& x) {
    const Tensor one = add(x, 3.0f);
    const GraphPart part(module);
    return neg(one);
  });
  const Graph g = record_graph(module, Tensor::full({2}, 1));
  CHECK(g.nodes.at(0).part == nullptr);
  CHECK(g.nodes.at(1).part == &module);
  CHECK(g.values.at(static_cast<size_t>(g.nodes[0].inputs[1])).value.item() == 3.0f);
  CHECK(g.values.at(0).value.id() == module.weight.id());
  CHECK_FALSE(g.values.at(static_cast<size_t>(g.input)).value.defined());
  CHECK_FALSE(g.values.at(static_cast<size_t>(g.output)).value.defined());
}

TEST_CASE("detached and seen in another shape, a value is what it was") {
  const Graph g = graph_of({2, 3}, [](const Tensor& x) { return add(neg(x.detach()).view({6}), 1.0f); });
  REQUIRE(g.nodes.size() == 3);
  CHECK(g.nodes[0].inputs[0] == g.input);
  CHECK(g.nodes[1].op == "reshape");
  CHECK(g.nodes[1].inputs[0] == g.nodes[0].output);
  CHECK(g.nodes[2].inputs[0] == g.nodes[1].output);
}
