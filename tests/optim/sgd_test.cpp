// SGD against updates computed by hand.
#include "optim/sgd.h"

#include <limits>

#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;

namespace {

Tensor parameter(std::initializer_list<float> values) {
  return Tensor::from({static_cast<int64_t>(values.size())}, values).set_requires_grad(true);
}

void step_with(Sgd& sgd, Tensor& w, std::initializer_list<float> grad, float lr) {
  w.set_grad(Tensor::from(w.shape(), grad));
  sgd.step(lr);
}

class Layers : public Module {
 public:
  Layers() {
    register_parameter("conv.weight", Tensor::full({2, 1, 1, 2}, 1));
    register_parameter("bn.weight", Tensor::full({2}, 1));
    register_parameter("fc.bias", Tensor::full({2}, 1));
    register_parameter("conv.quant.step", Tensor::full({1}, 1));
  }
  Tensor forward(const Tensor& x) override { return x; }
};

}  // namespace

TEST_CASE("sgd: momentum starts at zero, so the first update is plain") {
  Tensor w = parameter({1, -2});
  Sgd sgd({{"w", w}}, {.momentum = 0.9f, .weight_decay = 0.5f});
  step_with(sgd, w, {0.5f, 0}, 0.1f);
  check_close(w, {.9, -1.9});                        // g = .5 + .5 * 1 = 1; 0 + .5 * -2 = -1
  check_close(sgd.state_dict()[0].second, {1, -1});  // m = g
  step_with(sgd, w, {0.5f, 0}, 0.1f);                // g = .95, -.95; m = .9 + .95 = 1.85
  check_close(sgd.state_dict()[0].second, {1.85, -1.85});
  check_close(w, {.715, -1.715});
}

TEST_CASE("sgd: Nesterov looks ahead") {
  Tensor w = parameter({1});
  Sgd sgd({{"w", w}}, {.momentum = 0.5f, .weight_decay = 0, .nesterov = true});
  step_with(sgd, w, {1}, 0.1f);  // m = 1; g + .5 m = 1.5
  check_close(w, {.85});
  step_with(sgd, w, {2}, 0.1f);  // m = 2.5; 2 + 1.25 = 3.25
  check_close(w, {.525});
}

TEST_CASE("sgd: a parameter without gradient stays, zero_grad takes gradients away") {
  Tensor a = parameter({1}), b = parameter({1});
  Sgd sgd({{"a", a}, {"b", b}}, {.momentum = 0, .weight_decay = 0.1f});
  step_with(sgd, a, {1}, 1.0f);
  check_close(a, {-.1});
  check_close(b, {1});
  sgd.zero_grad();
  CHECK_FALSE(a.grad().defined());
  sgd.step(1.0f);
  check_close(a, {-.1});
}

TEST_CASE("sgd: quantizer steps have no decay and stay positive") {
  Tensor step = parameter({0.05f}), bare = parameter({0.05f}), weight = parameter({0.05f});
  Sgd sgd({{"conv1.quant.step", step}, {"step", bare}, {"stairs.misstep", weight}}, {.momentum = 0, .weight_decay = 1});
  CHECK(sgd.group_of("conv1.quant.step") == "steps");
  CHECK(sgd.group_of("step") == "steps");
  CHECK(sgd.group_of("stairs.misstep") == "weights");
  for (Tensor* w : {&step, &bare, &weight}) w->set_grad(Tensor::full({1}, 0));
  sgd.step(0.1f);
  check_close(step, {.05}, 1e-9);
  check_close(weight, {.045});
  for (Tensor* w : {&step, &bare, &weight}) w->set_grad(Tensor::full({1}, 1));
  sgd.step(0.1f);
  CHECK(step.item() == 1e-8f);
  CHECK(bare.item() == 1e-8f);
  CHECK(weight.item() < -0.05f);
}

TEST_CASE("sgd: a parameter that diverges stays what it became") {
  Tensor step = parameter({0.05f}), weight = parameter({0.05f});
  Sgd sgd({{"conv1.step", step}, {"conv1.weight", weight}}, {.momentum = 0, .weight_decay = 0});
  for (Tensor* w : {&step, &weight}) w->set_grad(Tensor::full({1}, 1e30f));
  sgd.step(1e30f);
  CHECK(step.item() == -std::numeric_limits<float>::infinity());
  CHECK(weight.item() == -std::numeric_limits<float>::infinity());
}

TEST_CASE("sgd: groups scale rate and decay; the first that takes a parameter has it") {
  Tensor a = parameter({1}), b = parameter({1});
  const auto is_a = [](const std::string& name) { return name == "a"; };
  const auto any = [](const std::string&) { return true; };
  Sgd sgd({{"a", a}, {"b", b}}, {.momentum = 0, .weight_decay = 1},
          {{.name = "slow", .holds = is_a, .lr_scale = 0.1f, .weight_decay_scale = 2}, {.name = "rest", .holds = any}});
  a.set_grad(Tensor::full({1}, 1));
  b.set_grad(Tensor::full({1}, 1));
  sgd.step(0.1f);
  check_close(a, {.97});  // 1 - .01 * (1 + 2)
  check_close(b, {.8});   // 1 - .1 * (1 + 1)
}

TEST_CASE("sgd: no decay on vectors") {
  const Layers model;
  const auto groups = no_decay_on_vectors(model);
  const Sgd sgd(model.named_parameters(), {}, groups);
  CHECK(sgd.group_of("conv.weight") == "weights");
  CHECK(sgd.group_of("bn.weight") == "vectors");
  CHECK(sgd.group_of("fc.bias") == "vectors");
  CHECK(sgd.group_of("conv.quant.step") == "steps");
  REQUIRE(groups.size() == 3);
  CHECK(groups[1].weight_decay_scale == 0);
  CHECK(groups[2].weight_decay_scale == 1);
}

TEST_CASE("sgd: momentum is saved and loaded, and goes on to the bit") {
  Tensor w = parameter({1, 2}), copy = parameter({1, 2});
  Sgd sgd({{"w", w}}, {}), resumed({{"w", copy}}, {});
  step_with(sgd, w, {.3f, -.7f}, 0.1f);
  copy.copy_from(w);
  resumed.load_state_dict(sgd.state_dict());
  step_with(sgd, w, {.1f, .2f}, 0.1f);
  step_with(resumed, copy, {.1f, .2f}, 0.1f);
  CHECK(test::same_values(w, copy));
  CHECK_THROWS_WITH_AS(resumed.load_state_dict({}), doctest::Contains("\"w\" {2} is missing"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(resumed.load_state_dict({{"w", Tensor::zeros({3})}}), doctest::Contains("found F32 {3}"),
                       std::invalid_argument);
}

TEST_CASE("sgd: wrong settings are refused") {
  const Tensor w = parameter({1});
  const NamedTensors one{{"w", w}};
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [&](const NamedTensors& parameters, const SgdOptions& options,
                           const std::vector<ParamGroup>& groups = default_groups()) {
    CHECK_THROWS_AS(Sgd(parameters, options, groups), std::invalid_argument);
  };
  refused(one, {.momentum = 1});
  refused(one, {.momentum = -.1f});
  refused(one, {.momentum = nan});
  refused(one, {.weight_decay = -1});
  refused(one, {.momentum = 0, .nesterov = true});
  refused({{"a", w}, {"b", w}}, {});
  refused({{"a", w}, {"a", parameter({1})}}, {});
  refused({{"a", Tensor()}}, {});
  refused({{"a", Tensor::zeros({1}, DType::i64)}}, {});
  refused(one, {}, {});
  refused(one, {}, {{.name = "none"}});
  const auto any = [](const std::string&) { return true; };
  refused(one, {}, {{.name = "g", .holds = any, .lr_scale = -1}});
  refused(one, {}, {{.name = "g", .holds = any, .weight_decay_scale = nan}});
  refused(one, {}, {{.name = "g", .holds = any, .floor = nan}});
  Sgd sgd(one, {});
  CHECK_THROWS_AS(sgd.step(-1), std::invalid_argument);
  CHECK_THROWS_AS(sgd.step(nan), std::invalid_argument);
  CHECK_THROWS_AS((void)sgd.group_of("x"), std::invalid_argument);
}
