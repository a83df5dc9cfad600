// Min-max: ranges that follow what they see.
#include <doctest/doctest.h>

#include "engine/ops/unary.h"
#include "tests/quant/vectors.h"

using namespace ntq;
using namespace ntq::test;

namespace {

std::vector<double> ends(const Quantizer& q) {
  return {static_cast<double>(state_of(q, "low").item()), static_cast<double>(state_of(q, "high").item())};
}

std::shared_ptr<Quantizer> signed_inputs(Settings settings) {
  return make_quantizer(
      {.method = "minmax", .bits = 2, .is_weight = false, .name = "q", .settings = std::move(settings)});
}

}  // namespace

TEST_CASE("minmax: symmetric weights, asymmetric ones with 0 on the grid") {
  Tensor w = Tensor::from({5}, {-.5f, -.12f, .2f, .41f, 1});
  const Tensor g = Tensor::from({5}, {1, -2, .5f, 1, -1});
  const auto symmetric = weights_of("minmax", 3);
  check_close(run_backward(*symmetric, w, g), {-2.0 / 3, 0, 1.0 / 3, 1.0 / 3, 1});
  CHECK(same_values(w.grad(), g));
  CHECK(symmetric->range().low == -3);
  // s = 1.5 / 15, z = 5.
  Tensor v = w.clone();
  const auto asymmetric = weights_of("minmax", 4, {{"asymmetric", true}});
  check_close(run_backward(*asymmetric, v, g), {-.5, -.1, .2, .4, 1});
  CHECK(same_values(v.grad(), g));
  const Tensor codes = asymmetric->encode(v).values;
  CHECK(std::vector<uint8_t>(codes.data<uint8_t>(), codes.data<uint8_t>() + 5) == std::vector<uint8_t>{0, 4, 7, 9, 15});
  // A range of one side has 0 at its end.
  const auto positive = weights_of("minmax", 2, {{"asymmetric", true}});
  positive->forward(Tensor::from({2}, {1, 3}));
  check_close(positive->step(), {1});
}

TEST_CASE("minmax: activations: moving average, widest, frozen; in evaluation none moves") {
  const Tensor first = Tensor::from({1, 3}, {-1, 0, 3}), second = Tensor::from({1, 3}, {-2, 0, 2});
  const auto after = [&](Settings settings) {
    const auto q = signed_inputs(std::move(settings));
    q->forward(first);
    q->eval();
    q->forward(Tensor::from({1, 2}, {-9, 9}));
    q->train();
    q->forward(second);
    return ends(*q);
  };
  const auto near = [](const std::vector<double>& found, double low, double high) {
    CHECK(found[0] == doctest::Approx(low));
    CHECK(found[1] == doctest::Approx(high));
  };
  near(after({{"asymmetric", true}, {"average_rate", .25}}), -1.25, 2.75);
  near(after({{"asymmetric", true}, {"act_range", "widest"}}), -2, 3);
  near(after({{"asymmetric", true}, {"act_range", "frozen"}}), -1, 3);
  near(after({{"average_rate", .25}}), -2.75, 2.75);
  near(after({{"act_range", "widest"}}), -3, 3);
}

TEST_CASE("minmax: outside of the range there is no gradient") {
  const auto q = signed_inputs({{"act_range", "frozen"}, {"asymmetric", true}});
  q->forward(Tensor::from({1, 2}, {-1, 2}));
  Tensor x = Tensor::from({1, 5}, {-1.1f, -1, .5f, 2, 2.1f});
  run_backward(*q, x, Tensor::full({1, 5}, 1));
  check_close(x.grad(), {0, 1, 1, 1, 0});
}

TEST_CASE("minmax, faq, dorefa, pact: the gradient of x is that of clipping to the range, numerically") {
  struct Case {
    const char* method;
    Settings settings;
    float end;
  };
  for (const Case& c : {Case{"minmax", {{"act_range", "frozen"}}, .5f}, Case{"faq", {{"percentile", 100.0}}, .5f},
                        Case{"dorefa", {}, 1}, Case{"pact", {{"alpha_init", .5}}, .5f}}) {
    CAPTURE(std::string(c.method));
    const auto q = inputs_of(c.method, 3, c.settings);
    q->forward(Tensor::full({1, 1}, .5f));
    Tensor x = Tensor::empty({2, 30});
    for (int64_t i = 0; i < x.numel(); ++i) x.f32()[i] = .05f * static_cast<float>(i - 30) + .025f;  // no border
    Tensor y = x.clone();
    run_backward(*q, x, some_values({2, 30}, 77));
    const auto clipped = [&] { return probe_loss(clamp(y, 0, c.end)); };
    CHECK(numeric_grad_error(clipped, y, 1e-3f) < 1e-2);
    y.set_requires_grad(true);
    clipped().backward();
    CHECK(same_values(x.grad(), y.grad()));
  }
}

TEST_CASE("minmax: a range per channel is that of its weights; calibration takes the widest of all batches") {
  const auto q =
      make_quantizer({.method = "minmax", .bits = 3, .per_channel = true, .shape = {2, 1, 1, 3}, .name = "q"});
  q->forward(Tensor::from({2, 1, 1, 3}, {-.3f, 0, .1f, 1, 6, -2}));
  check_close(q->step(), {.1, 2});
  CHECK_THROWS_WITH_AS(make_quantizer({.method = "minmax",
                                       .bits = 3,
                                       .per_channel = true,
                                       .shape = {2, 3},
                                       .name = "q",
                                       .settings = {{"asymmetric", true}}}),
                       doctest::Contains("q: a range per channel is symmetric"), std::invalid_argument);
  const auto x = signed_inputs({{"asymmetric", true}});
  x->eval();
  x->start_pass(0);
  x->forward(Tensor::from({1, 2}, {-1, 1}));
  x->forward(Tensor::from({1, 2}, {0, 5}));
  x->end_pass(0);
  CHECK(ends(*x) == std::vector<double>{-1, 5});
}
