// QIL against vectors computed in float64 with the formulas of arXiv 1808.05779.
#include <doctest/doctest.h>

#include "tests/quant/vectors.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::state_of;

namespace {

std::shared_ptr<Quantizer> qil(bool is_weight, int bits, Settings settings = {}) {
  settings.emplace("interval_init", "unit");
  return (is_weight ? test::weights_of : test::inputs_of)("qil", bits, std::move(settings));
}

// With c = .5, d = .4; the output, after backward() of sum(g * output).
Tensor run_qil(Quantizer& q, Tensor& x, const Tensor& g) {
  q.forward(x);
  state_of(q, "half_width").fill(0.4f);
  return test::run_backward(q, x, g);
}

Tensor qil_weights() { return Tensor::from({6}, {-1.1f, -.6f, -.05f, .25f, .45f, .8f}); }

}  // namespace

TEST_CASE("qil: weights, 3 bits") {
  const Tensor g = Tensor::from({6}, {1, -2, .5f, 1, -1, 2});
  const auto q = qil(true, 3);
  Tensor w = qil_weights();
  const Tensor y = run_qil(*q, w, g);
  check_close(y, {-1, -.6666667, 0, .3333333, .3333333, 1});
  check_close(w.grad(), {0, -2.5, 0, 1.25, -1.25, 2.5}, 2e-6);
  check_close(state_of(*q, "center").grad(), {-5}, 5e-6);
  check_close(state_of(*q, "half_width").grad(), {-1.875}, 5e-6);
  check_close(state_of(*q, "gamma").grad(), {-.7733832}, 5e-6);

  state_of(*q, "gamma").fill(0.8f);
  for (const Parameter& p : q->parameters()) Tensor(p.value).zero_grad();
  Tensor again = qil_weights();
  again.set_requires_grad(true);
  const Tensor powered = q->forward(again);
  sum(mul(powered, g)).backward();
  check_close(powered, {-1, -.6666667, 0, .3333333, .6666667, 1});
  check_close(again.grad(), {0, -2.1971211, 0, 1.3976542, -1.1797891, 2.0541322}, 5e-6);
  check_close(state_of(*q, "center").grad(), {-4.4691184}, 1e-5);
  check_close(state_of(*q, "half_width").grad(), {-1.3638191}, 1e-5);
  check_close(state_of(*q, "gamma").grad(), {-.8974}, 1e-5);
}

TEST_CASE("qil: inputs, 2 bits") {
  const auto q = qil(false, 2);
  Tensor x = Tensor::from({1, 5}, {.05f, .3f, .62f, .85f, 1.4f});
  const Tensor y = run_qil(*q, x, Tensor::from({1, 5}, {1, 2, -1, .5f, 3}));
  check_close(y, {0, .3333333, .6666667, 1, 1});
  check_close(x.grad(), {0, 2.5, -1.25, .625, 0}, 2e-6);
  check_close(state_of(*q, "center").grad(), {-1.875}, 2e-6);
  check_close(state_of(*q, "half_width").grad(), {1.078125}, 2e-6);
  CHECK(q->parameters().size() == 2);
}

TEST_CASE("qil: first intervals, and values on the scale of the input where asked") {
  const Tensor w = Tensor::from({4}, {-3, 1, 2, .5f});
  const auto q = make_quantizer({.method = "qil", .bits = 3, .name = "q"});
  q->forward(w);
  check_close(state_of(*q, "center"), {1.5});
  check_close(state_of(*q, "half_width"), {1.5});
  check_close(q->forward(w), {-1, 1 / 3.0, 2 / 3.0, 0});
  const auto scaled = make_quantizer({.method = "qil", .bits = 3, .name = "q", .settings = {{"rescale", true}}});
  check_close(scaled->forward(w), {-3, 1, 2, 0});
  const auto sigma = make_quantizer({.method = "qil", .bits = 3, .settings = {{"interval_init", "3sigma"}}});
  sigma->forward(Tensor::from({2}, {-1, 1}));
  check_close(state_of(*sigma, "center"), {1.5 * std::sqrt(2.0)});
  // All batches of a calibration together.
  const auto inputs = make_quantizer({.method = "qil", .bits = 2, .is_signed = false, .is_weight = false});
  inputs->start_pass(0);
  for (const float most : {2.0f, 6.0f, 4.0f}) inputs->forward(Tensor::from({1, 2}, {0, most}));
  inputs->end_pass(0);
  check_close(state_of(*inputs, "center"), {3});
}

TEST_CASE("qil: gamma stays 1 where it is not learned, and an interval never begins below 0") {
  const auto q = qil(true, 3, {{"train_gamma", false}});
  CHECK(q->parameters().size() == 2);
  const Tensor w = qil_weights();
  q->forward(w);
  const Tensor before = q->forward(w);
  state_of(*q, "center").fill(0.2f);  // with d = .5: as c = .5
  CHECK(test::same_values(q->forward(w), before));
  CHECK(all_finite(before));
}

TEST_CASE("qil: a power below 1 throws no weight that rounds to 0") {
  const auto q = qil(true, 3);
  q->forward(qil_weights());  // c = d = .5: u = |w|
  state_of(*q, "gamma").fill(0.5f);
  // Of q = 3 the first value is reached at u = 1/36: its slope is .5 * 6, however near to 0 a weight lies.
  Tensor w = Tensor::from({4}, {1e-5f, .01f, .25f, -1e-5f});
  const Tensor y = test::run_backward(*q, w, Tensor::from({4}, {1, 1, 1, -2}));
  check_close(y, {0, 0, .6666667, 0});
  check_close(w.grad(), {3, 3, 1, -6}, 1e-5);
}

TEST_CASE("qil: another width goes on with interval and power, and the values keep their scale") {
  const auto wide = qil(true, 4, {{"rescale", true}}), narrow = qil(true, 2, {{"rescale", true}});
  CHECK_FALSE(narrow->take_over(*wide));  // has nothing yet
  wide->forward(qil_weights());
  state_of(*wide, "center").fill(0.3f);
  state_of(*wide, "gamma").fill(0.7f);
  state_of(*wide, "step").fill(0.1f);
  REQUIRE(narrow->take_over(*wide));
  CHECK(narrow->ready());
  CHECK(state_of(*narrow, "center").item() == 0.3f);
  CHECK(state_of(*narrow, "half_width").item() == 0.5f);
  CHECK(state_of(*narrow, "gamma").item() == 0.7f);
  CHECK(narrow->step().item() == doctest::Approx(0.7));
  CHECK_FALSE(test::weights_of("lsq", 2, {})->take_over(*wide));
  CHECK_FALSE(qil(false, 2)->take_over(*wide));
}
