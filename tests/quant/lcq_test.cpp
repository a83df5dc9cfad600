// LCQ against vectors computed in float64 with the formulas of arXiv 2103.07156 and nuLSQ's code.
#include <doctest/doctest.h>

#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/method.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;

namespace {

// Four intervals, alpha .8, theta [.8, .3, -.2, -.9].
std::shared_ptr<Quantizer> lcq(bool is_weight, int bits, Settings settings = {}) {
  settings.emplace("intervals", 4);
  if (is_weight) settings.emplace("normalise", false);
  auto q = make_quantizer({.method = "lcq",
                           .bits = bits,
                           .is_signed = is_weight,
                           .is_weight = is_weight,
                           .name = "conv1",
                           .settings = std::move(settings)});
  auto parameters = q->parameters();
  parameters[0].value.fill(0.8f);
  if (parameters.size() > 1) parameters[1].value.copy_from(Tensor::from({4}, {.8f, .3f, -.2f, -.9f}));
  return q;
}

Tensor lcq_weights() { return Tensor::from({6}, {-.9f, -.5f, -.07f, .15f, .33f, .62f}); }

}  // namespace

TEST_CASE("lcq: weights, 3 bits, with the exact gradient and the public code's") {
  for (const bool exact : {true, false}) {
    CAPTURE(exact);
    const auto q = lcq(true, 3, {{"gradient", exact ? "exact" : "unit"}});
    const Tensor w = lcq_weights().set_requires_grad(true);
    const Tensor y = q->forward(w);
    check_close(q->grid().levels, {-.8, -.3444486, -.1438062, 0, .1438062, .3444486, .8});
    check_close(y, {-.8, -.3444486, 0, .1438062, .3444486, .8});
    sum(mul(y, Tensor::from({6}, {1, -2, .5f, 1, -1, 2}))).backward();
    check_close(w.grad(), {0, exact ? -1.2130613 : -2, .5, 1, -1, 2});
    check_close(q->parameters()[0].value.grad(), {exact ? -.4290948 : -.9209315});
    check_close(q->parameters()[1].value.grad(), {.0369993, .1654645, .1455146, -.3479784});
  }
}

TEST_CASE("lcq: inputs, 2 bits") {
  const auto q = lcq(false, 2);
  const Tensor x = Tensor::from({1, 6}, {-.2f, .1f, .3f, .55f, .79f, 1.2f}).set_requires_grad(true);
  const Tensor y = q->forward(x);
  check_close(y, {0, .1438062, .3444486, .8, .8, .8});
  sum(y).backward();
  CHECK(x.grad().f32()[0] == 0);
  CHECK(x.grad().f32()[5] == 0);
}

TEST_CASE("lcq: the exact gradients are those of the surrogate with a frozen rounding") {
  const auto q = lcq(true, 4);
  const Tensor x = mul(test::some_values({30}), 0.9f);
  const Tensor input = x.clone().set_requires_grad(true);
  test::probe_loss(q->forward(input)).backward();
  // In float64, apart from the engine: offset = round(S f) / S - f, then expanded(f + offset).
  const std::vector<float> theta = q->parameters()[1].value.to_vector(), values = x.to_vector();
  const std::vector<float> weights = test::some_values({30}, 77).to_vector();
  struct Piecewise {
    double slope[4], begin[4];
    explicit Piecewise(const std::vector<double>& t) {
      double total = 0, sum = 0;
      for (const double v : t) total += std::exp(v);
      for (int i = 0; i < 4; ++i)
        slope[i] = 4 * std::exp(t[static_cast<size_t>(i)]) / total, begin[i] = sum, sum += slope[i] / 4;
    }
  };
  const std::vector<double> theta0(theta.begin(), theta.end());
  const Piecewise first(theta0);
  struct Frozen {
    int i, j;
    double offset;
  };
  std::vector<Frozen> frozen;
  const double alpha0 = static_cast<double>(.8f);
  for (const float value : values) {
    const double v = std::abs(static_cast<double>(value)) / alpha0;
    const int i = std::min(static_cast<int>(v * 4), 3);
    const double f = first.slope[i] * (v - i / 4.0) + first.begin[i], y = std::nearbyint(7 * f) / 7;
    int j = 3;
    while (j > 0 && first.begin[j] > y) --j;
    frozen.push_back({i, j, y - f});
  }
  const auto loss = [&](const std::vector<double>& t, double alpha) {
    const Piecewise p(t);
    double total = 0;
    for (size_t n = 0; n < values.size(); ++n) {
      const auto [i, j, offset] = frozen[n];
      const double v = std::abs(static_cast<double>(values[n])) / alpha;
      const double y = p.slope[i] * (v - i / 4.0) + p.begin[i] + offset;
      const double z = v < 1 ? (y - p.begin[j]) / p.slope[j] + j / 4.0 : 1;
      total += static_cast<double>(weights[n]) * (values[n] < 0 ? -alpha : alpha) * z;
    }
    return total;
  };
  const double h = 1e-6;
  const double dalpha = (loss(theta0, alpha0 + h) - loss(theta0, alpha0 - h)) / (2 * h);
  CHECK(static_cast<double>(q->parameters()[0].value.grad().item()) == doctest::Approx(dalpha).epsilon(1e-5));
  for (size_t m = 0; m < 4; ++m) {
    std::vector<double> up = theta0, down = theta0;
    up[m] += h, down[m] -= h;
    const double numeric = (loss(up, alpha0) - loss(down, alpha0)) / (2 * h);
    CHECK(static_cast<double>(q->parameters()[1].value.grad().f32()[m]) == doctest::Approx(numeric).epsilon(1e-4));
  }
}

TEST_CASE("lcq: limited weight normalisation, with its gradients") {
  const auto plain = lcq(true, 3), q = lcq(true, 3, {{"normalise", true}});
  const Tensor w = lcq_weights();
  const auto by_hand = [&](const Tensor& x) {
    const Tensor c = sub(x, mean(x)), sigma = sqrt(div(sum(square(c)), 5.0f));
    return mul(plain->forward(div(c, sigma)), sigma);
  };
  const Tensor a = w.clone().set_requires_grad(true), b = w.clone().set_requires_grad(true);
  const Tensor y = q->forward(a), expected = by_hand(b);
  CHECK(test::same_values(y, expected));
  for (const auto& [name, value] : q->named_buffers()) {
    if (name == "deviation") check_close(value, {.5581905});
  }
  check_close(q->transformed(w), {-.8383333, -.4383333, -.0083333, .2116667, .3916667, .6816667});
  check_close(div(q->transformed(w), .5581905f), {-1.5018767, -.7852755, -.0149292, .3792015, .7016720, 1.2212079},
              2e-6);
  test::probe_loss(y).backward();
  test::probe_loss(expected).backward();
  for (int64_t i = 0; i < 6; ++i) CHECK(a.grad().f32()[i] == doctest::Approx(b.grad().f32()[i]));
}

TEST_CASE("lcq: codes of other weights than the last are right") {
  const auto q = make_quantizer({.method = "lcq", .bits = 4, .name = "q"});
  q->eval();
  const Tensor w = test::some_values({50}), other = mul(test::some_values({50}, 2), 3.0f);
  const Tensor expected = q->forward(other);
  q->forward(w);
  CHECK(test::same_values(decode(q->encode(other)), expected));
}

TEST_CASE("lcq: first values, levels of 8 bits, and nothing to compand at 2 bits") {
  const auto inputs = make_quantizer({.method = "lcq", .bits = 2, .is_signed = false, .is_weight = false});
  inputs->forward(Tensor::from({1, 2}, {1, 3}));
  check_close(inputs->parameters()[0].value, {4 * std::sqrt(3.0)}, 1e-5);
  check_close(inputs->grid().levels, {0, 4 / std::sqrt(3.0), 8 / std::sqrt(3.0), 4 * std::sqrt(3.0)}, 1e-5);  // even
  const auto fixed = make_quantizer({.method = "lcq", .bits = 4, .settings = {{"alpha_init", "fixed"}}});
  fixed->forward(lcq_weights());
  check_close(fixed->parameters()[0].value, {3});
  const auto small = lcq(false, 2, {{"requantize", true}});
  small->forward(Tensor::full({1, 2}, 1));
  check_close(small->grid().levels, {0, .8 * 46 / 255, .8 * 110 / 255, .8});
  const auto ternary = lcq(true, 2);
  CHECK(ternary->parameters().size() == 1);
  check_close(ternary->forward(lcq_weights()), {-.8, -.8, 0, 0, 0, .8});
}
