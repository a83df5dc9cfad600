// SGD against updates computed by hand.
#include "optim/sgd.h"

#include <limits>

#include "tests/optim/by_hand.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::parameter;
using ntq::test::step_with;

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

TEST_CASE("sgd: traits say what decays, how fast and how low a parameter goes; its name says nothing") {
  Tensor step = parameter({0.05f}), named = parameter({0.05f}), slow = parameter({1});
  Sgd sgd({{"a", step, {.decay = false, .floor = 1e-8f}}, {"b.step", named}, {"c", slow, {.lr_scale = 0.1f}}},
          {.momentum = 0, .weight_decay = 1});
  for (Tensor* w : {&step, &named, &slow}) w->set_grad(Tensor::full({1}, 0));
  sgd.step(0.1f);
  check_close(step, {.05}, 1e-9);
  check_close(named, {.045});
  check_close(slow, {.99});  // 1 - .01 * 1
  for (Tensor* w : {&step, &named}) w->set_grad(Tensor::full({1}, 1));
  sgd.step(0.1f);
  CHECK(step.item() == 1e-8f);
  CHECK(named.item() < -0.05f);
}

TEST_CASE("sgd: a scale is held within its change, and keeps no more momentum than it moved by") {
  Tensor up = parameter({0.5f}), down = parameter({0.5f}), free = parameter({0.5f}), below = parameter({-0.5f});
  const ParamTraits held{.decay = false, .most_change = 2};
  Sgd sgd({{"up", up, held}, {"down", down, held}, {"free", free, {.decay = false}}, {"below", below, held}},
          {.momentum = 0.5f});
  const auto step = [&](float g) {
    up.set_grad(Tensor::full({1}, -g));
    for (Tensor* w : {&down, &free, &below}) w->set_grad(Tensor::full({1}, g));
    sgd.step(0.1f);
  };
  step(40);
  check_close(up, {1});       // would be 4.5
  check_close(down, {0.25});  // would be -3.5
  check_close(free, {-3.5});
  check_close(below, {-4.5});
  step(0);
  check_close(up, {1.25});     // momentum -5, half of it, times .1
  check_close(down, {0.125});  // 2.5 / 2 * .1 = .125
  check_close(free, {-5.5});
}

TEST_CASE("sgd: a parameter that diverges stays what it became") {
  Tensor step = parameter({0.05f}), weight = parameter({0.05f});
  Sgd sgd({{"step", step, {.floor = 1e-8f}}, {"weight", weight}}, {.momentum = 0, .weight_decay = 0});
  for (Tensor* w : {&step, &weight}) w->set_grad(Tensor::full({1}, 1e30f));
  sgd.step(1e30f);
  CHECK(step.item() == -std::numeric_limits<float>::infinity());
  CHECK(weight.item() == -std::numeric_limits<float>::infinity());
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
  const std::vector<Parameter> one{{"w", w}};
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [&](const std::vector<Parameter>& parameters, const SgdOptions& options) {
    CHECK_THROWS_AS(Sgd(parameters, options), std::invalid_argument);
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
  refused({{"a", w, {.lr_scale = -1}}}, {});
  refused({{"a", w, {.lr_scale = nan}}}, {});
  refused({{"a", w, {.floor = nan}}}, {});
  refused({{"a", w, {.most_change = 1}}}, {});
  refused({{"a", w, {.most_change = nan}}}, {});
  Sgd sgd(one, {});
  CHECK_THROWS_AS(sgd.step(-1), std::invalid_argument);
  CHECK_THROWS_AS(sgd.step(nan), std::invalid_argument);
}
