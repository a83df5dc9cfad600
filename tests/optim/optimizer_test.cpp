// What all optimizers share: parameters with traits, several optimizers for one model.
#include "optim/optimizer.h"

#include "optim/adam.h"
#include "optim/ema.h"
#include "optim/sgd.h"
#include "tests/support/module.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;

namespace {

class Layers : public Module {
 public:
  Layers() {
    register_parameter("filters", Tensor::full({2, 1, 1, 2}, 1));
    register_parameter("gain", Tensor::full({2}, 1));
    register_parameter("step", Tensor::full({1}, 1), {.decay = false, .floor = 1e-8f});
    register_parameter("logits", Tensor::full({2}, 1), {.decay = false, .optimizer = "adam"});
  }
  Tensor forward(const Tensor& x) override { return x; }
};

}  // namespace

TEST_CASE("no decay on vectors leaves the other traits") {
  const auto parameters = without_decay_on_vectors(Layers().parameters());
  REQUIRE(parameters.size() == 4);
  CHECK(parameters[0].traits.decay);
  CHECK_FALSE(parameters[1].traits.decay);
  CHECK_FALSE(parameters[2].traits.decay);
  CHECK(parameters[2].traits.floor == 1e-8f);
  CHECK(parameters[3].traits.optimizer == "adam");
}

TEST_CASE("two optimizers for one model: each updates what names it, states side by side") {
  const auto make = [](const Module& model) {
    const auto all = model.parameters();
    std::map<std::string, std::unique_ptr<Optimizer>> others;
    others["adam"] = std::make_unique<Adam>(parameters_of(all, "adam"), AdamOptions{.lr = .01f});
    return OptimizerSet(std::make_unique<Sgd>(parameters_of(all, ""), SgdOptions{.momentum = 0, .weight_decay = 0}),
                        std::move(others));
  };
  Layers model, copy;
  auto set = make(model), resumed = make(copy);
  const auto step = [](const Module& of, Optimizer& optimizer) {
    for (auto& p : of.parameters()) p.value.set_grad(Tensor::full(p.value.shape(), 2));
    optimizer.step(.1f);
  };
  step(model, set);
  check_close(model.parameters()[1].value, {.8, .8});
  check_close(model.parameters()[3].value, {.99, .99});
  CHECK(test::names_of(set.state_dict()) == std::vector<std::string>{"filters", "gain", "step", "adam.logits.mean",
                                                                     "adam.logits.square", "adam.logits.updates"});
  copy.load_state_dict(model.state_dict());
  resumed.load_state_dict(set.state_dict());
  step(model, set);
  step(copy, resumed);
  for (size_t i = 0; i < 4; ++i) CHECK(test::same_values(model.parameters()[i].value, copy.parameters()[i].value));
  set.zero_grad();
  for (const auto& p : model.parameters()) CHECK_FALSE(p.value.grad().defined());
  CHECK_THROWS_AS(OptimizerSet(nullptr, {}), std::invalid_argument);
}

TEST_CASE("optimizers and averages refuse a model that was moved after they were made") {
  Layers model;
  Sgd sgd(model.parameters(), {});
  Adam adam(model.parameters(), {});
  WeightAverage average(model, .9f);
  model.to(Device("cpu:portable"));
  for (auto& p : model.parameters()) p.value.set_grad(Tensor::full(p.value.shape(), 2, Device("cpu:portable")));
  const auto moved = doctest::Contains("has moved to cpu:portable, its state is on cpu; move the model first");
  CHECK_THROWS_WITH_AS(sgd.step(.1f), moved, std::invalid_argument);
  CHECK_THROWS_WITH_AS(adam.step(.1f), moved, std::invalid_argument);
  CHECK_THROWS_WITH_AS(average.update(), moved, std::invalid_argument);
  Sgd made_after(model.parameters(), {});
  made_after.step(.1f);
}
