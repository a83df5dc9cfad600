// PACT against vectors computed in float64 with the formulas of arXiv 1805.06085.
#include <doctest/doctest.h>

#include "tests/quant/vectors.h"

using namespace ntq;
using namespace ntq::test;

namespace {

Tensor pact_inputs() { return Tensor::from({1, 6}, {-1, .25f, .9f, 1.7f, 2, 2.5f}); }
Tensor pact_upstream() { return Tensor::from({1, 6}, {1, 2, -1, .5f, 1, 3}); }

}  // namespace

TEST_CASE("pact: activations, 2 bits, and the gradient of alpha: the paper's, LSQ's, with an L2 penalty") {
  struct Case {
    Settings settings;
    double alpha_grad;
  };
  for (const Case& c : {Case{{}, 4}, Case{{{"alpha_grad", "lsq"}}, 3.9416667}, Case{{{"alpha_l2", 2e-4}}, 4.0004}}) {
    Settings settings = c.settings;
    settings.emplace("alpha_init", 2);
    const auto q = inputs_of("pact", 2, settings);
    Tensor x = pact_inputs();
    check_close(run_backward(*q, x, pact_upstream()), {0, 0, .6666667, 2, 2, 2});
    check_close(x.grad(), {0, 2, -1, .5, 0, 0});
    check_close(state_of(*q, "alpha").grad(), {c.alpha_grad});
  }
}

TEST_CASE("pact: alpha starts at 10, or where the first inputs have the least error; its decay is a setting") {
  const auto alpha = [](const std::shared_ptr<Quantizer>& q) { return state_of(*q, "alpha").item(); };
  const auto q = inputs_of("pact", 4);
  CHECK(alpha(q) == 10);
  CHECK(q->ready());
  CHECK(q->parameters()[0].traits.decay);
  CHECK_FALSE(inputs_of("pact", 4, {{"alpha_decay", false}})->parameters()[0].traits.decay);

  const auto fitted = inputs_of("pact", 2, {{"alpha_from", "mse"}});
  CHECK_FALSE(fitted->ready());
  fitted->eval();
  fitted->start_pass(0);
  fitted->forward(Tensor::from({1, 6}, {0, 0, .5f, 1, 1.5f, 0}));  // 1.5, to 2%
  CHECK(alpha(fitted) == doctest::Approx(1.5).epsilon(.02));
  fitted->forward(Tensor::from({1, 2}, {3, 1}));  // 3: a quarter of all
  CHECK(alpha(fitted) == doctest::Approx(1.875).epsilon(.02));
  fitted->end_pass(0);
  fitted->forward(Tensor::from({1, 2}, {3, 1}));
  CHECK(alpha(fitted) == doctest::Approx(1.875).epsilon(.02));
}

TEST_CASE("pact: the clipping value's gradient is that of clip(x, 0, alpha), numerically") {
  const auto q = inputs_of("pact", 8, {{"alpha_init", .6}});
  const Tensor x = some_values({4, 50}), alpha = state_of(*q, "alpha");
  probe_loss(q->forward(x)).backward();
  const float analytic = alpha.grad().item();
  const auto clipped = [&](float end) { return static_cast<double>(probe_loss(min(max(x, 0.0f), end)).item()); };
  CHECK((clipped(.601f) - clipped(.599f)) / .002 == doctest::Approx(analytic).epsilon(1e-2));
}

TEST_CASE("pact: weights are DoReFa's") {
  const Tensor w = some_values({6, 10});
  CHECK(same_values(weights_of("pact", 3)->forward(w), weights_of("dorefa", 3)->forward(w)));
}
