// LSQ against vectors computed in float64 with the formulas of arXiv 1902.08153.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/ops/unary.h"
#include "tests/quant/vectors.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::inputs_of;

namespace {

std::shared_ptr<Quantizer> lsq(int bits, bool is_signed, bool is_weight, float step = 0) {
  auto q = make_quantizer(
      {.method = "lsq", .bits = bits, .is_signed = is_signed, .is_weight = is_weight, .name = "conv1.quant"});
  q->step().fill(step);
  return q;
}

}  // namespace

TEST_CASE("lsq: signed weights, 3 bits") {
  const auto q = lsq(3, true, true, 0.2f);
  Tensor w = Tensor::from({6}, {-.95f, -.31f, .07f, .22f, .48f, .90f});
  const Tensor y = test::run_backward(*q, w, Tensor::from({6}, {1, -2, .5f, 1, -1, 2}));
  check_close(y, {-.8, -.4, 0, .2, .4, .6});
  check_close(w.grad(), {0, -2, .5, 1, -1, 0});
  check_close(q->step().grad(), {.7129993}, 2e-6);
  const Tensor codes = q->encode(w).values;
  const std::vector<int8_t> expected{-4, -2, 0, 1, 2, 3};
  CHECK(std::vector<int8_t>(codes.data<int8_t>(), codes.data<int8_t>() + 6) == expected);
}

TEST_CASE("lsq: unsigned activations, 2 bits; the border 0 is outside") {
  const auto q = lsq(2, false, false, 0.3f);
  Tensor x = Tensor::from({1, 6}, {-.4f, 0, .1f, .33f, .72f, 1.4f});
  const Tensor y = test::run_backward(*q, x, Tensor::from({1, 6}, {1, 1, 2, -1, .5f, 3}));
  check_close(y, {0, 0, 0, .3, .6, .9});
  check_close(x.grad(), {0, 0, 2, -1, .5, 0});
  check_close(q->step().grad(), {1.9406153}, 5e-6);

  const auto inside = inputs_of("lsq", 2, {{"border", "inside"}});
  inside->step().fill(.3f);
  Tensor again = Tensor::from({1, 6}, {-.4f, 0, .1f, .33f, .72f, 1.4f});
  test::run_backward(*inside, again, Tensor::from({1, 6}, {1, 1, 2, -1, .5f, 3}));
  check_close(again.grad(), {0, 1, 2, -1, .5, 0});
}

TEST_CASE("lsq: the first forward sets the step, in training and in evaluation") {
  const Tensor w = Tensor::from({6}, {-.95f, -.31f, .07f, .22f, .48f, .90f});
  const Tensor x = Tensor::from({1, 6}, {-.4f, 0, .1f, .33f, .72f, 1.4f});
  for (const bool training : {true, false}) {
    const auto weights = lsq(3, true, true), inputs = lsq(2, false, false);
    weights->train(training);
    inputs->train(training);
    weights->forward(w);
    inputs->forward(x);
    check_close(weights->step(), {.5638788});
    check_close(inputs->step(), {.5677278});
    weights->forward(scale(w, 10.0f));
    check_close(weights->step(), {.5638788});
  }
}

TEST_CASE("lsq: training and evaluation give the same values") {
  const auto q = lsq(4, true, true, 0.1f);
  const Tensor w = Tensor::from({4}, {-.52f, -.11f, .26f, .9f});
  const Tensor training = q->forward(w);
  q->eval();
  CHECK(test::same_values(training, q->forward(w)));
}

TEST_CASE("quantizer ranges") {
  const auto range = [](int bits, bool is_signed) { return lsq(bits, is_signed, true)->range(); };
  for (int bits = 2; bits <= 8; ++bits) {
    const float half = std::ldexp(1.0f, bits - 1);
    CHECK(range(bits, true).low == -half);
    CHECK(range(bits, true).high == half - 1);
    CHECK(range(bits, false).low == 0.0f);
    CHECK(range(bits, false).high == 2 * half - 1);
  }
}

TEST_CASE("calibration takes the step from all inputs together") {
  const auto q = lsq(2, false, false);
  const Tensor small = Tensor::from({1, 2}, {1, 2}), large = Tensor::from({1, 4}, {3, 5, 7, 6});
  q->eval();
  q->start_pass(0);
  q->forward(small);
  check_close(q->step(), {2 * 1.5 / std::sqrt(3.0)});
  q->forward(large);
  check_close(q->step(), {2 * 4.0 / std::sqrt(3.0)});  // 24 over 6 values
  q->end_pass(0);
  q->forward(small);
  check_close(q->step(), {2 * 4.0 / std::sqrt(3.0)});
  CHECK(test::same_values(apply_quantizer(q, small), q->forward(small)));
  q->enable(false);
  CHECK(test::same_values(apply_quantizer(q, small), small));
  CHECK(test::same_values(apply_quantizer(nullptr, small), small));
}

TEST_CASE("least_error finds the step with the least squared error, and keeps LSQ's where nothing is to be found") {
  const auto make = [](bool is_signed) {
    return make_quantizer({.method = "lsq",
                           .bits = 2,
                           .is_signed = is_signed,
                           .is_weight = is_signed,
                           .name = "q",
                           .settings = {{"step_init", "mse"}}});
  };
  // Sparse, as behind a ReLU: LSQ's rule gives 0.23, which cuts off at 0.69.
  std::vector<float> sparse(30);
  for (int i = 0; i < 6; ++i) sparse[static_cast<size_t>(5 * i)] = .5f * static_cast<float>(1 + i % 3);
  const auto inputs = make(false);
  inputs->forward(Tensor::from({1, 30}, std::span<const float>(sparse)));
  CHECK(inputs->step().item() == doctest::Approx(0.5).epsilon(0.012));

  const Tensor w = Tensor::from({8}, {-.95f, -.31f, .07f, .22f, .48f, .90f, .02f, -.13f});
  const auto weights = make(true);
  weights->forward(w);
  const auto error = [&](double step) {
    double total = 0;
    for (const float v : w.to_vector()) {
      const double q = std::nearbyint(std::clamp(static_cast<double>(v) / step, -2.0, 1.0)) * step;
      total += (q - static_cast<double>(v)) * (q - static_cast<double>(v));
    }
    return total;
  };
  double least = error(0.01);
  for (double step = 0.01; step < 2; step += 0.001) least = std::min(least, error(step));
  CHECK(error(static_cast<double>(weights->step().item())) < 1.01 * least);

  const auto zeros = make(false);
  zeros->forward(Tensor::zeros({1, 4}));
  CHECK(zeros->step().item() > 0.0f);
}

TEST_CASE("lsq: weights that are not finite are not clamped to finite ones") {
  const auto q = make_quantizer({.method = "lsq", .bits = 4, .name = "conv1.weight_quant"});
  Tensor w = test::some_values({32});
  q->forward(w);
  w.f32()[7] = -INFINITY;
  CHECK(std::isnan(q->forward(w).f32()[7]));
  CHECK_THROWS_WITH_AS(q->encode(w), doctest::Contains("conv1.weight_quant: values that are not finite"),
                       DivergedError);
}
