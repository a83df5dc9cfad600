// APoT's levels and gradients (arXiv 1909.13144 and its authors' code), worked out by hand.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/method.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;

namespace {

std::shared_ptr<Quantizer> apot(QuantSpec spec) {
  spec.method = "apot", spec.name = "conv1";
  return make_quantizer(spec);
}

std::shared_ptr<Quantizer> apot_inputs(int bits, bool is_signed, double alpha) {
  return apot({.bits = bits, .is_signed = is_signed, .is_weight = false, .settings = {{"input_alpha", alpha}}});
}

}  // namespace

TEST_CASE("apot: levels are sums of powers of two") {
  check_close(apot_inputs(2, false, 1)->grid().levels, {0, .25, .5, 1});
  // {0, 1/2, 1/4, 1/16} + {0, 1/8}, of 5/8
  check_close(apot_inputs(3, false, 1)->grid().levels, {0, .1, .2, .3, .4, .6, .8, 1});
  // {0, 1/2, 1/8, 1/32} + {0, 1/4, 1/16, 1/64}, of 3/4
  std::vector<double> four;
  for (const double a : {0.0, 24.0, 6.0, 1.5}) {
    for (const double b : {0.0, 12.0, 3.0, .75}) four.push_back((a + b) / 36);
  }
  std::sort(four.begin(), four.end());
  check_close(apot_inputs(4, false, 1)->grid().levels, four);
  // 2-bit weights are ternary; beyond 6 bits of magnitude the levels are even.
  check_close(apot_inputs(2, true, 3)->grid().levels, {-3, 0, 3});
  CHECK(apot_inputs(8, false, 255)->grid().levels.f32()[3] == doctest::Approx(3));
  CHECK(apot_inputs(6, false, 1)->traits().levels == 64);
}

TEST_CASE("apot: values and gradients of a signed input, 3 bits") {
  const auto q = apot_inputs(3, true, 2);  // levels 0, .5, 1, 2
  const Tensor x = Tensor::from({1, 6}, {-3, -.6f, .1f, .3f, .8f, 1.9f}).set_requires_grad(true);
  const Tensor y = q->forward(x);
  check_close(y, {-2, -.5, 0, .5, 1, 2});
  sum(mul(y, Tensor::from({1, 6}, {1, -2, .5f, 1, -1, 2}))).backward();
  check_close(x.grad(), {0, -2, .5, 1, -1, 2});
  check_close(q->parameters()[0].value.grad(), {-1.025});
}

TEST_CASE("apot: the gradients are those of the surrogate with a frozen rounding") {
  const auto q = apot_inputs(4, true, .7);
  const Tensor x = test::some_values({1, 40}), alpha = q->parameters()[0].value;
  Tensor input = x.clone().set_requires_grad(true);
  test::probe_loss(q->forward(input)).backward();
  const Tensor dx = input.grad(), dalpha = alpha.grad().clone();
  const Tensor u = clamp(div(x, alpha.detach()), -1, 1), offset = sub(div(q->forward(x).detach(), alpha.detach()), u);
  Tensor free_x = x.clone(), free_alpha = alpha.detach().clone();
  const auto loss = [&] {
    return test::probe_loss(mul(add(clamp(div(free_x, free_alpha), -1, 1), offset), free_alpha));
  };
  CHECK(test::numeric_grad_error(loss, free_x, 1e-3f) < 5e-3);
  CHECK(test::numeric_grad_error(loss, free_alpha, 1e-3f) < 2e-2);
  free_x.set_requires_grad(true), free_alpha.set_requires_grad(true);
  loss().backward();
  for (int64_t i = 0; i < 40; ++i) CHECK(dx.f32()[i] == doctest::Approx(free_x.grad().f32()[i]));
  CHECK(dalpha.item() == doctest::Approx(free_alpha.grad().item()));
}

TEST_CASE("apot: weights are normalised, quantized, and given their deviation again, all with gradients") {
  const auto plain = apot_inputs(3, true, 3);
  const auto weights = [](Settings settings) { return apot({.bits = 3, .settings = std::move(settings)}); };
  const Tensor w = Tensor::from({6}, {-.9f, -.5f, -.07f, .15f, .33f, .62f});
  const auto by_hand = [&](const Tensor& x) {
    const Tensor c = sub(x, mean(x)), sigma = sqrt(div(sum(square(c)), 5.0f));
    return mul(plain->forward(div(c, sigma)), sigma);
  };
  const Tensor a = w.clone().set_requires_grad(true), b = w.clone().set_requires_grad(true);
  const auto q = weights({});
  const Tensor y = q->forward(a), expected = by_hand(b);
  CHECK(test::same_values(y, expected));
  test::probe_loss(y).backward();
  test::probe_loss(expected).backward();
  for (int64_t i = 0; i < 6; ++i) CHECK(a.grad().f32()[i] == doctest::Approx(b.grad().f32()[i]));
  CHECK(q->parameters()[0].value.grad().item() == doctest::Approx(plain->parameters()[0].value.grad().item()));

  // As in the authors' code the deviation stays away.
  const auto unscaled = weights({{"restore_scale", false}});
  const Tensor normal = unscaled->forward(w);
  for (int64_t i = 0; i < 6; ++i) CHECK(normal.f32()[i] * .5581905f == doctest::Approx(y.f32()[i]));
  CHECK(test::same_values(decode(unscaled->encode(w)), normal));

  // No gradient through mean and deviation: plain straight-through, clipped or not.
  for (const bool clip : {true, false}) {
    const auto detached = weights({{"detach_norm", true}, {"clip_gradient", clip}, {"weight_alpha", 1}});
    const Tensor x = w.clone().set_requires_grad(true);
    sum(detached->forward(x)).backward();
    check_close(x.grad(), {clip ? 0.0 : 1.0, 1, 1, 1, 1, clip ? 0.0 : 1.0});
  }
}

TEST_CASE("apot: codes are right for other weights than the last") {
  const auto q = apot({.bits = 4});
  q->eval();
  const Tensor w = test::some_values({50}), other = mul(test::some_values({50}, 2), 3.0f);
  const Tensor expected = q->forward(other);
  q->forward(w);
  CHECK(test::same_values(decode(q->encode(other)), expected));
}
