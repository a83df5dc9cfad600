// LSQ+ against vectors computed in float64 with the formulas of arXiv 2004.09576.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/quant/vectors.h"

using namespace ntq;
using namespace ntq::test;

namespace {

double rounding_error(Quantizer& q, const Tensor& x) {
  return static_cast<double>(sum(mul(sub(q(x), x), sub(q(x), x))).item());
}

}  // namespace

TEST_CASE("lsq+: activations, 2 bits, with an offset") {
  for (const bool is_signed : {true, false}) {
    const auto q =
        make_quantizer({.method = "lsq+", .bits = 2, .is_signed = is_signed, .is_weight = false, .name = "q"});
    Tensor step = state_of(*q, "step"), beta = state_of(*q, "beta");
    step.fill(.5f);
    beta.fill(-.3f);
    Tensor x = Tensor::from({1, 5}, {-1, -.42f, .1f, .58f, 1.5f});
    check_close(run_backward(*q, x, Tensor::from({1, 5}, {1, 2, -1, .5f, 3})), {-.3, -.3, .2, .7, 1.2});
    check_close(x.grad(), {0, 0, -1, .5, 0});
    check_close(step.grad(), {2.3031341}, 2e-6);
    check_close(beta.grad(), {1.5491933}, 2e-6);
    CHECK(q->encode(x).grid.offset.item() == -.3f);
  }
}

TEST_CASE(
    "lsq+: gradients of step, beta and x are those of the quantizer with its rounding offsets held, numerically") {
  const auto q = inputs_of("lsq+", 3);
  Tensor x = some_values({1, 40}), step = state_of(*q, "step"), beta = state_of(*q, "beta");
  const double s = .21875, b = -.53125;
  step.fill(static_cast<float>(s));
  beta.fill(static_cast<float>(b));
  const Tensor g = some_values({1, 40}, 77);
  run_backward(*q, x, g);
  const auto loss = [&](double ds, double db, double dx, int64_t moved) {
    double total = 0;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const double at = static_cast<double>(x.f32()[i]), v = (at - b) / s, offset = std::nearbyint(v) - v;
      const double now = (at + (i == moved ? dx : 0) - b - db) / (s + ds);
      const double code = v <= 0 ? 0 : v >= 7 ? 7 : now + offset;
      total += static_cast<double>(g.f32()[i]) * ((s + ds) * code + b + db);
    }
    return total;
  };
  const double h = 1e-5, scale = 1 / std::sqrt(40 * 7.0);
  CHECK(static_cast<double>(step.grad().item()) ==
        doctest::Approx(scale * (loss(h, 0, 0, -1) - loss(-h, 0, 0, -1)) / (2 * h)));
  CHECK(static_cast<double>(beta.grad().item()) ==
        doctest::Approx(scale * (loss(0, h, 0, -1) - loss(0, -h, 0, -1)) / (2 * h)));
  for (const int64_t i : {0, 7, 21, 39}) {
    CAPTURE(i);
    CHECK(static_cast<double>(x.grad().f32()[i]) == doctest::Approx((loss(0, 0, h, i) - loss(0, 0, -h, i)) / (2 * h)));
  }
}

TEST_CASE("lsq+: N of the gradient scale counts one sample's features, or the batch where asked") {
  std::vector<double> grads;
  for (const bool batch : {false, true}) {
    const auto q = inputs_of("lsq+", 2, {{"input_n", batch ? "numel" : "features"}});
    state_of(*q, "step").fill(.5f);
    Tensor x = Tensor::from({3, 2}, {-1, .1f, .3f, .6f, 2, 3});
    run_backward(*q, x, Tensor::full({3, 2}, 1));
    grads.push_back(static_cast<double>(state_of(*q, "beta").grad().item()));
  }
  CHECK(grads[0] / grads[1] == doctest::Approx(std::sqrt(3.0)));
}

TEST_CASE("lsq+: first steps of weights: three deviations from the mean over a divisor, or LSQ's") {
  const Tensor w = Tensor::from({6}, {-.95f, -.31f, .07f, .22f, .48f, .90f});
  const auto first = [&](Settings settings) {
    const auto q = weights_of("lsq+", 3, std::move(settings));
    q->forward(w);
    return q->step();
  };
  check_close(first({}), {.4989878});
  check_close(first({{"sigma_divisor", "levels"}}), {.2851359});
  check_close(first({{"sigma_divisor", "q_p"}}), {.6653170});
  check_close(first({{"step_init", "lsq"}}), {.5638788});
}

TEST_CASE("lsq+: first step and offset of activations: the whole range, or the least error") {
  const Tensor x = Tensor::from({1, 5}, {-.28f, -.1f, .4f, 1.1f, 2.3f});
  const auto whole = inputs_of("lsq+", 2, {{"act_init", "minmax"}});
  whole->forward(x);
  check_close(state_of(*whole, "step"), {.86});
  check_close(state_of(*whole, "beta"), {-.28});

  // Of many values the least error is far inside of the range: compared with a search over both.
  Tensor many = some_values({2, 200});
  for (int64_t i = 0; i < many.numel(); ++i) many.f32()[i] = std::pow(many.f32()[i], 5.0f) * 4 + .5f;
  const auto fitted = inputs_of("lsq+", 2), tried = inputs_of("lsq+", 2);
  fitted->forward(many);
  double least = 1e9;
  for (float step = .1f; step < 3; step += .05f) {
    for (float beta = -4; beta < 1; beta += .05f) {
      state_of(*tried, "step").fill(step);
      state_of(*tried, "beta").fill(beta);
      least = std::min(least, rounding_error(*tried, many));
    }
  }
  CHECK(rounding_error(*fitted, many) < 1.05 * least);

  // Calibration: the mean of the batches, by size.
  const auto q = inputs_of("lsq+", 2, {{"act_init", "minmax"}});
  q->eval();
  q->start_pass(0);
  q->forward(Tensor::from({1, 2}, {0, 3}));
  q->forward(Tensor::from({1, 4}, {-3, 0, 1, 9}));
  q->end_pass(0);
  check_close(state_of(*q, "step"), {3});  // (1 * 2 + 4 * 4) / 6
  check_close(state_of(*q, "beta"), {-2});
}
