// The open readings of LSQ and NTQ as settings: each against what the code that it is named after computes.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "quant/tree.h"
#include "tests/quant/vectors.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::same_values;

namespace {

struct Reading {
  Tensor y, dx;
  double dstep = 0;
};

// Output and gradients of sum(g * q(x)) at this step.
Reading read(const QuantSpec& spec, float step, const Tensor& input, const Tensor& g) {
  const auto q = make_quantizer(spec);
  q->step().fill(step);
  Tensor x = input.clone();
  const Tensor y = test::run_backward(*q, x, g);
  return {y.detach(), x.grad(), static_cast<double>(sum(q->step().grad()).item())};
}

QuantSpec inputs(Settings settings) {
  return {.method = "lsq", .bits = 2, .is_signed = false, .is_weight = false, .settings = std::move(settings)};
}

// A model of one quantizer.
std::shared_ptr<Module> model_of(const std::shared_ptr<Quantizer>& q) {
  struct Holder : Module {
    explicit Holder(const std::shared_ptr<Quantizer>& q) { register_module("q", q); }
    Tensor forward(const Tensor& x) override { return x; }
  };
  return std::make_shared<Holder>(q);
}

}  // namespace

TEST_CASE("input_n: the step's gradient scale counts features, the batch too, or channels") {
  const Tensor x = Tensor::full({3, 2, 2, 5}, 0.4f), ones = Tensor::full({3, 2, 2, 5}, 1.0f);
  const double features = read(inputs({}), 0.3f, x, ones).dstep;
  const double batch = read(inputs({{"input_n", "numel"}}), 0.3f, x, ones).dstep;
  const double channels = read(inputs({{"input_n", "channels"}}), 0.3f, x, ones).dstep;
  CHECK(features / batch == doctest::Approx(std::sqrt(3.0)));
  CHECK(channels / features == doctest::Approx(2.0));
}

TEST_CASE("weight_n: weights that share a step, or all of the layer") {
  QuantSpec spec{.method = "lsq", .bits = 3, .per_channel = true, .shape = {4, 9}};
  const Tensor w = test::some_values({4, 9}), ones = Tensor::full({4, 9}, 1.0f);
  const double own = read(spec, 0.2f, w, ones).dstep;
  spec.settings = {{"weight_n", "numel"}};
  const double all = read(spec, 0.2f, w, ones).dstep;
  CHECK(own / all == doctest::Approx(2.0));
  spec.per_channel = false;
  const double numel = read(spec, 0.2f, w, ones).dstep;
  spec.settings = {};
  CHECK(read(spec, 0.2f, w, ones).dstep == numel);
}

TEST_CASE("border: equality counts as clipped, or as inside") {
  // Steps of 1/4, so that x / step is exact: vectors W and A with their borders hit.
  const Tensor w = Tensor::from({5}, {-1.25f, -1, 0.1f, 0.75f, 1}), g = Tensor::from({5}, {1, -2, .5f, 3, 2});
  QuantSpec spec{.method = "lsq", .bits = 3};
  const Reading strict = read(spec, 0.25f, w, g);
  check_close(strict.dx, {0, 0, .5, 0, 0});
  spec.settings = {{"border", "inside"}};
  const Reading inside = read(spec, 0.25f, w, g);
  check_close(inside.dx, {0, -2, .5, 3, 0});
  CHECK(same_values(strict.y, inside.y));
  const double scale = 1 / std::sqrt(15.0);
  CHECK(strict.dstep == doctest::Approx(scale * (-4 + 8 - .2 + 9 + 6)).epsilon(1e-5));
  CHECK(inside.dstep == doctest::Approx(scale * (-4 - .2 + 6)).epsilon(1e-5));

  for (const int bits : {2, 8}) {
    QuantSpec unsigned_input = inputs({{"border", "inside"}});
    unsigned_input.bits = bits;
    const float high = bits == 2 ? 0.75f : 63.75f;
    const Tensor x = Tensor::from({1, 4}, {-.1f, 0, high, high + 1});
    const Reading r = read(unsigned_input, 0.25f, x, Tensor::full({1, 4}, 1));
    check_close(r.dx, {0, 1, 1, 0});
    check_close(r.y, {0, 0, static_cast<double>(high), static_cast<double>(high)});
  }
}

TEST_CASE("border: codes stay those of the range") {
  const auto q = make_quantizer(inputs({{"border", "inside"}}));
  q->step().fill(0.25f);
  const Codes codes = q->encode(Tensor::from({1, 3}, {-1, 0.3f, 9}));
  check_close(decode(codes), {0, .25, .75});
}

TEST_CASE("step_change: an update is held within a factor of two, but where all is as published") {
  const auto most_change = [](const Settings& settings) {
    return make_quantizer({.method = "ntq", .bits = 3, .settings = settings})->parameters().at(0).traits.most_change;
  };
  CHECK(most_change({}) == 2);
  CHECK(most_change({{"step_change", "free"}}) == HUGE_VALF);
  CHECK(most_change({{"step_sign", "abs"}}) == HUGE_VALF);
}

TEST_CASE("step_sign: a step that an update leaves below 0 gets the floor by the optimizer, or its size") {
  for (const bool keeps : {false, true}) {
    CAPTURE(keeps);
    const auto q = make_quantizer({.method = "lsq", .bits = 3, .settings = {{"step_sign", keeps ? "abs" : "floor"}}});
    CHECK(q->parameters().at(0).traits.floor == (keeps ? -HUGE_VALF : 1e-8f));
    const auto model = model_of(q);
    q->step().fill(0.1f);
    q->forward(Tensor::full({2}, 0.5f));
    q->step().fill(keeps ? -0.125f : 0.125f);
    count_optimizer_step(*model);
    check_close(q->step(), {.125}, 1e-9);
    q->step().fill(0);
    if (keeps) q->after_step();
    check_close(q->step(), {keeps ? 1e-8 : 0.0}, 1e-12);
  }
}

TEST_CASE("step_decay: none on the steps, or as on the weights") {
  for (const bool decays : {false, true}) {
    const auto q = make_quantizer({.method = "lsq", .bits = 3, .settings = {{"step_decay", decays}}});
    CHECK(q->parameters().at(0).traits.decay == decays);
  }
}

TEST_CASE("ntq: activations get noise where input_noise says so") {
  QuantSpec spec{.method = "ntq", .bits = 2, .is_weight = false, .seed = 7, .name = "conv1"};
  const Tensor w = Tensor::from({1, 6}, {-.130f, -.030f, .012f, .027f, .033f, .090f});
  const Tensor none = read(spec, 0.04f, w, w).y;
  check_close(none, {-.08, -.04, 0, .04, .04, .04}, 1e-8);
  spec.settings = {{"input_noise", 0.2}, {"input_noise_k", 50}};
  const Tensor inputs_of = read(spec, 0.04f, w, w).y;
  spec.is_weight = true, spec.settings = {{"noise", 0.2}};
  CHECK(same_values(inputs_of, read(spec, 0.04f, w, w).y));  // the same rule and, by name, the same draws
  const auto q = make_quantizer(spec);
  q->step().fill(0.04f);
  q->eval();
  CHECK(same_values(q->forward(w), none));
}

TEST_CASE("ntq: the learning rate as a factor of the noise") {
  const Tensor w = Tensor::from({6}, {-.130f, -.030f, .012f, .027f, .033f, .090f});
  const auto noise = [&](const char* factor, LearningRate rate) {
    const auto q =
        make_quantizer({.method = "ntq", .bits = 2, .seed = 7, .name = "conv1", .settings = {{"noise_lr", factor}}});
    q->step().fill(0.04f);
    set_rate(*model_of(q), rate);
    return sub(q->forward(w).detach(), Tensor::from({6}, {-.08f, -.04f, 0, .04f, .04f, .04f}));
  };
  const LearningRate rate{.value = 0.01f, .share = 0.25f};
  const std::vector<float> full = noise("none", rate).to_vector();
  for (const auto& [word, factor] : std::vector<std::pair<const char*, double>>{{"share", 0.25}, {"rate", 0.01}}) {
    std::vector<double> expected;
    for (const float v : full) expected.push_back(factor * static_cast<double>(v));
    check_close(noise(word, rate), expected, 1e-8);
    check_close(noise(word, {.value = 0, .share = 0}), {0, 0, 0, 0, 0, 0}, 1e-9);
  }
  CHECK_THROWS_AS(noise("share", {.value = 1, .share = 2}), std::invalid_argument);
}
