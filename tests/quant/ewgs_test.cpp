// EWGS (arXiv 2104.00903): values, its scaled gradient, and first values as in the authors' code.
#include <doctest/doctest.h>

#include "engine/ops/unary.h"
#include "tests/quant/vectors.h"

using namespace ntq;
using ntq::test::check_close;

namespace {

std::shared_ptr<Quantizer> ewgs(bool is_weight, int bits, double delta) {
  return (is_weight ? test::weights_of : test::inputs_of)("ewgs", bits, {{"delta", delta}});
}

// Range [low, high], scale 1.
void set_ewgs(const Quantizer& q, float low, float high, float scale) {
  Tensor(q.parameters()[0].value).fill(low);
  Tensor(q.parameters()[1].value).fill(high);
  test::state_of(q, "scale").fill(scale);
}

}  // namespace

TEST_CASE("ewgs: inputs, 2 bits: a gradient grows where it pulls away from the level") {
  const auto q = ewgs(false, 2, 0.5);
  set_ewgs(*q, 0, 3, 3);
  const Tensor x = Tensor::from({1, 5}, {-1, .2f, 1.3f, 1.8f, 4}).set_requires_grad(true);
  const Tensor y = q->forward(x);
  check_close(y, {0, 0, 1, 2, 3});
  sum(mul(y, Tensor::from({1, 5}, {1, 2, -1, .5f, 3}))).backward();
  // (x - q) / 3 is .2 / 3, .1, -.2 / 3: factors 1 + .5 sign(g) of it
  check_close(x.grad(), {0, 2 * (1 + .1 / 3), -1 * (1 - .05), .5 * (1 - .1 / 3), 0});
  // dl = sum g (x_n - 1), du = -sum g x_n over those inside
  const double a = 2 * (1 + .1 / 3), b = -.95, c = .5 * (1 - .1 / 3);
  check_close(q->parameters()[0].value.grad(), {a * (.2 / 3 - 1) + b * (1.3 / 3 - 1) + c * (.6 - 1)}, 2e-6);
  check_close(q->parameters()[1].value.grad(), {-(a * .2 / 3 + b * 1.3 / 3 + c * .6)}, 2e-6);
  CHECK(q->parameters().size() == 2);
}

TEST_CASE("ewgs: weights, 2 bits: levels without 0, a learned scale") {
  const auto q = ewgs(true, 2, 0);
  set_ewgs(*q, -1, 1, .5f);
  const Tensor w = Tensor::from({5}, {-2, -.5f, .1f, .4f, .9f}).set_requires_grad(true);
  const Tensor y = q->forward(w);
  check_close(y, {-.5, -.5 / 3, .5 / 3, .5 / 3, .5});
  const Tensor g = Tensor::from({5}, {1, -2, .5f, 1, -1});
  sum(mul(y, g)).backward();
  check_close(w.grad(), {0, -1, .25, .5, -.5});  // 2 scale / (u - l) = .5
  check_close(q->parameters()[2].value.grad(), {-1 + 2 / 3.0 + .5 / 3 + 1 / 3.0 - 1});
}

TEST_CASE("ewgs: with delta 0 the gradients are those of the surrogate with a frozen rounding") {
  const auto q = ewgs(true, 3, 0);
  set_ewgs(*q, -.7f, .6f, .8f);
  const Tensor w = test::some_values({40});
  const Tensor low = q->parameters()[0].value, high = q->parameters()[1].value, scale = q->parameters()[2].value;
  const auto place = [](const Tensor& x, const Tensor& l, const Tensor& u) {
    return clamp(div(sub(x, l), sub(u, l)), 0, 1);
  };
  const Tensor p = place(w, low.detach(), high.detach()), offset = sub(div(round(mul(p, 7.0f)), 7.0f), p);
  const Tensor l = low.detach().clone(), u = high.detach().clone(), s = scale.detach().clone(), x = w.clone();
  const auto loss = [&] { return test::probe_loss(mul(mul(sub(add(place(x, l, u), offset), .5f), 2.0f), s)); };
  Tensor input = w.clone().set_requires_grad(true);
  const Tensor y = q->forward(input);
  test::probe_loss(y).backward();
  CHECK(test::numeric_grad_error(loss, l, 1e-3f) < 2e-2);
  CHECK(test::numeric_grad_error(loss, u, 1e-3f) < 2e-2);
  CHECK(test::numeric_grad_error(loss, s, 1e-3f) < 2e-2);
  for (Tensor t : {l, u, s, x}) t.set_requires_grad(true);
  loss().backward();
  CHECK(low.grad().item() == doctest::Approx(l.grad().item()).epsilon(1e-4));
  CHECK(high.grad().item() == doctest::Approx(u.grad().item()).epsilon(1e-4));
  CHECK(scale.grad().item() == doctest::Approx(s.grad().item()).epsilon(1e-4));
  for (int64_t i = 0; i < 40; ++i) CHECK(input.grad().f32()[i] == doctest::Approx(x.grad().f32()[i]).epsilon(1e-4));
}

TEST_CASE("ewgs: first ranges are three deviations") {
  const auto weights = ewgs(true, 4, 0), inputs = ewgs(false, 4, 0);
  weights->forward(Tensor::from({2}, {-1, 1}));
  const double three = 3 * std::sqrt(2.0);
  check_close(weights->parameters()[0].value, {-three}, 1e-5);
  check_close(weights->parameters()[1].value, {three}, 1e-5);
  inputs->forward(Tensor::from({1, 2}, {0, 2}));
  check_close(inputs->parameters()[0].value, {0});
  check_close(inputs->parameters()[1].value, {three / std::sqrt(1 - 2 / 3.14159265358979)}, 1e-5);
}

TEST_CASE("ewgs: ranges and scale learn slower than weights") {
  for (const Parameter& p : ewgs(true, 4, 0)->parameters()) {
    CHECK(p.traits.lr_scale == 0.01f);
    CHECK_FALSE(p.traits.decay);
  }
}
