// The average by hand, its warm-up, and the exchange for an evaluation.
#include "optim/ema.h"

#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;

namespace {

class Model : public Module {
 public:
  Model() {
    weight = register_parameter("weight", Tensor::full({2}, 1));
    mean = register_buffer("mean", Tensor::full({1}, 0));
    count = register_buffer("count", Tensor::zeros({1}, DType::i64));
  }
  Tensor forward(const Tensor& x) override { return x; }
  Tensor weight, mean, count;
};

}  // namespace

TEST_CASE("ema: the decay warms up as (1 + t) / (10 + t); buffers are copied") {
  Model model;
  WeightAverage ema(model, 0.5f);
  model.weight.fill(11);
  model.mean.fill(3);
  *model.count.data<int64_t>() = 7;
  ema.update();  // decay 1/10
  check_close(ema.state_dict()[0].second, {10, 10}, 1e-5);
  check_close(ema.state_dict()[1].second, {3});
  CHECK(*ema.state_dict()[2].second.data<int64_t>() == 7);
  model.weight.fill(-1);
  ema.update();  // decay 2/11
  check_close(ema.state_dict()[0].second, {1, 1}, 1e-5);
  CHECK(ema.updates() == 2);
  check_close(model.weight, {-1, -1});
}

TEST_CASE("ema: late, the decay is the given one") {
  Model model;
  WeightAverage ema(model, 0.75f);
  ema.set_updates(1000);
  model.weight.fill(5);
  ema.update();
  check_close(ema.state_dict()[0].second, {2, 2});
}

TEST_CASE("ema: starts as a copy with memory of its own, without gradients") {
  Model model;
  const WeightAverage ema(model, 0.9f);
  model.weight.fill(2);
  check_close(ema.state_dict()[0].second, {1, 1});
  CHECK(ema.state_dict()[0].first == "weight");
  CHECK_FALSE(ema.state_dict()[0].second.requires_grad());
}

TEST_CASE("ema: swap twice gives all back; in between there is no update") {
  Model model;
  WeightAverage ema(model, 0.9f);
  const void* memory = model.weight.raw();
  model.weight.fill(4);
  model.mean.fill(6);
  ema.swap();
  check_close(model.weight, {1, 1});
  check_close(model.mean, {0});
  check_close(ema.state_dict()[0].second, {4, 4});
  CHECK_THROWS_AS(ema.update(), std::invalid_argument);
  CHECK_THROWS_AS(ema.load_state_dict(ema.state_dict()), std::invalid_argument);
  CHECK(ema.updates() == 0);
  ema.swap();
  check_close(model.weight, {4, 4});
  check_close(model.mean, {6});
  CHECK(model.weight.raw() == memory);
  CHECK(model.weight.requires_grad());
  CHECK_NOTHROW(ema.update());
}

TEST_CASE("ema: saved and loaded, it goes on to the bit") {
  Model model;
  WeightAverage ema(model, 0.9f), resumed(model, 0.9f);
  model.weight.fill(0.3f);
  ema.update();
  resumed.load_state_dict(ema.state_dict());
  resumed.set_updates(ema.updates());
  model.weight.fill(0.7f);
  ema.update();
  resumed.update();
  CHECK(test::same_values(ema.state_dict()[0].second, resumed.state_dict()[0].second));
  CHECK_THROWS_WITH_AS(resumed.load_state_dict({}), doctest::Contains("\"weight\" {2} is missing"),
                       std::invalid_argument);
}

TEST_CASE("ema: decays out of range are refused") {
  const Model model;
  CHECK_THROWS_AS(WeightAverage(model, 1.0f), std::invalid_argument);
  CHECK_THROWS_AS(WeightAverage(model, -0.1f), std::invalid_argument);
}
