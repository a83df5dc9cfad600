// Adam against updates computed by hand and by PyTorch 2 (torch.optim.Adam, AdamW, float64).
#include "optim/adam.h"

#include <cmath>
#include <limits>

#include "engine/backend/cpu/cpu_backend.h"
#include "tests/optim/by_hand.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::parameter;
using ntq::test::step_with;

TEST_CASE("adam: the first update is the learning rate, whatever the size of the gradient") {
  Tensor w = parameter({1, -2, 3});
  Adam adam({{"w", w}}, {});
  step_with(adam, w, {0.5f, -100, 0}, 0.1f);
  check_close(w, {.9, -1.9, 3});
  const NamedTensors state = adam.state_dict();
  REQUIRE(state.size() == 3);
  CHECK(state[0].first == "w.mean");
  check_close(state[0].second, {.05, -10, 0}, 1e-5);
  CHECK(state[1].first == "w.square");
  check_close(state[1].second, {.00025, 10, 0}, 1e-3);
  CHECK(state[2].second.data<int64_t>()[0] == 1);
}

TEST_CASE("adam: three updates as PyTorch makes them, decay in the gradient and decoupled") {
  const auto three = [](const AdamOptions& options) {
    Tensor w = parameter({1, -2});
    Adam adam({{"w", w}}, options);
    step_with(adam, w, {.5f, -1}, .1f);
    step_with(adam, w, {-.25f, -1}, .1f);
    step_with(adam, w, {2, .5f}, .05f);
    return w;
  };
  check_close(three({}), {0.839833917, -1.774217332}, 1e-6);
  check_close(three({.weight_decay = .1f}), {0.818805906, -1.768003541}, 1e-6);
  check_close(three({.beta1 = .8f, .beta2 = .9f, .epsilon = 1e-3f, .weight_decay = .1f, .decoupled = true}),
              {0.821003192, -1.729968595}, 1e-6);
}

TEST_CASE("adam: traits and a rate of its own") {
  Tensor plain = parameter({1}), still = parameter({1}), low = parameter({.05f});
  Adam adam({{"plain", plain}, {"still", still, {.decay = false, .lr_scale = .5f}}, {"low", low, {.floor = .01f}}},
            {.weight_decay = 1, .decoupled = true, .lr = .1f});
  for (Tensor* w : {&plain, &still, &low}) w->set_grad(Tensor::full({1}, 1));
  adam.step(100);
  check_close(plain, {1 - .1 - .1});
  check_close(still, {1 - .05});
  check_close(low, {.01});
}

TEST_CASE("adam: saved, loaded and gone on with, to the bit") {
  Tensor w = parameter({1, 2}), copy = parameter({1, 2});
  Adam adam({{"w", w}}, {}), resumed({{"w", copy}}, {});
  step_with(adam, w, {.3f, -.7f}, .1f);
  copy.copy_from(w);
  resumed.load_state_dict(adam.state_dict());
  step_with(adam, w, {.1f, .2f}, .1f);
  step_with(resumed, copy, {.1f, .2f}, .1f);
  CHECK(test::same_values(w, copy));
}

TEST_CASE("adam: every instruction set gives the same bits") {
  const AdamUpdate update{.lr = .01f,
                          .decay_lr = .01f,
                          .beta1 = .9f,
                          .beta2 = .999f,
                          .epsilon = 1e-8f,
                          .square_scale = 3,
                          .weight_decay = .1f,
                          .decoupled = true,
                          .floor = -1};
  std::vector<float> first;
  for (const std::string& isa : cpu::available_isas()) {
    CAPTURE(isa);
    Tensor w = Tensor::empty({99}), g = Tensor::empty({99}), m = Tensor::full({99}, .1f), v = Tensor::full({99}, .2f);
    for (int64_t i = 0; i < 99; ++i) {
      w.f32()[i] = static_cast<float>(std::sin(double(i)));
      g.f32()[i] = static_cast<float>(std::cos(double(i)));
    }
    cpu::make_cpu_backend(isa)->adam_step(update, w.view(), g.view(), m.view(), v.view());
    if (first.empty()) first = w.to_vector();
    CHECK(w.to_vector() == first);
  }
}

TEST_CASE("adam: wrong settings are refused") {
  const std::vector<Parameter> one{{"w", parameter({1})}};
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [&](const AdamOptions& options) { CHECK_THROWS_AS(Adam(one, options), std::invalid_argument); };
  refused({.beta1 = 1});
  refused({.beta2 = nan});
  refused({.epsilon = 0});
  refused({.weight_decay = -1});
  refused({.lr = nan});
  CHECK_THROWS_AS(Adam({{"a", Tensor()}}, {}), std::invalid_argument);
}
