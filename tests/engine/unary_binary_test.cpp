// Ops that an estimator is written with: values by hand, gradients against differences.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::numeric_grad_error;
using ntq::test::probe_loss;
using ntq::test::some_values;

namespace {

const float kNan = std::nanf("");

}  // namespace

TEST_CASE("two operands: values by hand, masks, what is not a number") {
  const Tensor a = Tensor::from({4}, {1, -2, 3, kNan}), b = Tensor::from({4}, {2, -2, -1, 1});
  const auto values = [](const Tensor& t) { return t.rows(0, 3).to_vector(); };
  using V = std::vector<float>;
  CHECK(values(add(a, b)) == V{3, -4, 2});
  CHECK(values(sub(a, b)) == V{-1, 0, 4});
  CHECK(values(mul(a, b)) == V{2, 4, -3});
  CHECK(values(div(a, b)) == V{.5f, 1, -3});
  CHECK(values(min(a, b)) == V{1, -2, -1});
  CHECK(values(max(a, b)) == V{2, -2, 3});
  CHECK(less(a, b).to_vector() == V{1, 0, 0, 0});
  CHECK(less_equal(a, b).to_vector() == V{1, 1, 0, 0});
  CHECK(equal(a, b).to_vector() == V{0, 1, 0, 0});
  for (const Tensor& y : {min(a, b), min(b, a), max(a, b), max(b, a)}) CHECK(std::isnan(y.f32()[3]));
  CHECK(values(where(less(a, b), a, b)) == V{1, -2, -1});
  CHECK(values(sub(1.0f, a)) == V{0, 3, -2});
  CHECK(values(div(a, 2.0f)) == V{.5f, -1, 1.5f});
  CHECK(clamp(Tensor::from({3}, {-3, .5f, 2}), -1, 1).to_vector() == V{-1, .5f, 1});
}

TEST_CASE("broadcasting: a scalar, a row, a column, one value for each filter") {
  const Tensor x = Tensor::from({2, 3}, {1, 2, 3, 4, 5, 6});
  using V = std::vector<float>;
  CHECK(add(x, Tensor::from({3}, {10, 20, 30})).to_vector() == V{11, 22, 33, 14, 25, 36});
  CHECK(sub(Tensor::from({3}, {10, 20, 30}), x).to_vector() == V{9, 18, 27, 6, 15, 24});
  CHECK(mul(x, Tensor::from({2, 1}, {1, -1})).to_vector() == V{1, 2, 3, -4, -5, -6});
  CHECK(div(Tensor::from({2, 1}, {60, 120}), x).to_vector() == V{60, 30, 20, 30, 24, 20});
  CHECK(mul(x, Tensor::from({1}, {2})).to_vector() == V{2, 4, 6, 8, 10, 12});
  CHECK(mul(2.0f, x).to_vector() == V{2, 4, 6, 8, 10, 12});
  const Tensor filters = Tensor::full({2, 1, 1, 3}, 1);
  CHECK(mul(filters, Tensor::from({2, 1, 1, 1}, {2, 5})).to_vector() == V{2, 2, 2, 5, 5, 5});
  CHECK(mul(Tensor::full({2, 2, 2}, 1), Tensor::from({2, 1}, {2, 5})).to_vector() == V{2, 2, 5, 5, 2, 2, 5, 5});
  for (const Shape& wrong : {Shape{2}, Shape{4}, Shape{3, 2}, Shape{2, 3, 1}, Shape{0}}) {
    CHECK_THROWS_WITH_AS(add(x, Tensor::zeros(wrong)), doctest::Contains("neither agree nor lie along"),
                         std::invalid_argument);
  }
  CHECK_THROWS_AS(add(Tensor::zeros({2, 3, 4}), Tensor::zeros({2, 1, 4})), std::invalid_argument);  // two runs
  CHECK_THROWS_AS(where(x, x, Tensor::zeros({3})), std::invalid_argument);
  CHECK_THROWS_AS(clamp(x, 1, 0), std::invalid_argument);
}

TEST_CASE("gradients of functions of one tensor") {
  const std::function<Tensor(const Tensor&)> ops[] = {[](const Tensor& x) { return neg(x); },
                                                      [](const Tensor& x) { return abs(x); },
                                                      [](const Tensor& x) { return square(x); },
                                                      [](const Tensor& x) { return exp(x); },
                                                      [](const Tensor& x) { return tanh(x); },
                                                      [](const Tensor& x) { return sigmoid(x); },
                                                      [](const Tensor& x) { return sqrt(add(abs(x), 1.0f)); },
                                                      [](const Tensor& x) { return log(add(abs(x), 1.0f)); },
                                                      [](const Tensor& x) { return clamp(x, -.45f, .55f); }};
  for (const auto& op : ops) {
    const Tensor x = some_values({23}, 5);
    CHECK(numeric_grad_error([&] { return probe_loss(op(x)); }, x, 1e-3f) < 2e-2);
  }
  for (const auto& op : {sign, floor, ntq::round}) {
    Tensor x = some_values({9}, 5);
    x.set_requires_grad(true);
    sum(op(x)).backward();
    CHECK(x.grad().to_vector() == std::vector<float>(9, 0.0f));
  }
  Tensor x = some_values({9}, 5);
  x.set_requires_grad(true);
  sum(round_straight_through(scale(x, 3))).backward();
  CHECK(x.grad().to_vector() == std::vector<float>(9, 3.0f));
}

TEST_CASE("gradients of both operands, however they lie") {
  const Shape large{3, 2, 4};
  for (const Shape& small : {large, Shape{1}, Shape{4}, Shape{2, 4}, Shape{3, 1, 1}, Shape{2, 1}, Shape{1, 2, 1}}) {
    CAPTURE(small.str());
    Tensor a = some_values(large, 3), b = some_values(small, 4);
    for (int64_t i = 0; i < b.numel(); ++i) b.f32()[i] += b.f32()[i] < 0 ? -1.5f : 1.5f;
    const std::function<Tensor()> losses[] = {
        [&] { return probe_loss(add(a, b)); }, [&] { return probe_loss(sub(b, a)); },
        [&] { return probe_loss(mul(a, b)); }, [&] { return probe_loss(div(a, b)); },
        [&] { return probe_loss(min(a, b)); }, [&] { return probe_loss(max(b, a)); }};
    for (const auto& loss : losses) {
      CHECK(numeric_grad_error(loss, a, 1e-3f) < 2e-2);
      CHECK(numeric_grad_error(loss, b, 1e-3f) < 2e-2);
    }
  }
  Tensor a = some_values({7}, 1), b = some_values({7}, 2), c = less(some_values({7}, 3), 0.0f);
  CHECK(numeric_grad_error([&] { return probe_loss(where(c, a, b)); }, a) < 1e-2);
  CHECK(numeric_grad_error([&] { return probe_loss(where(c, a, b)); }, b) < 1e-2);
  // Equal values share the gradient.
  Tensor e = Tensor::from({2}, {1, 2}), f = Tensor::from({2}, {1, 1});
  e.set_requires_grad(true), f.set_requires_grad(true);
  sum(max(e, f)).backward();
  CHECK(e.grad().to_vector() == std::vector<float>{.5f, 1});
  CHECK(f.grad().to_vector() == std::vector<float>{.5f, 0});
}

TEST_CASE("folds over an axis: values by hand, gradients, errors") {
  const Tensor x = Tensor::from({2, 3, 2}, {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6});
  using V = std::vector<float>;
  CHECK(sum(x, {0}).to_vector() == V{0, 0, 0, 0, 0, 0});
  CHECK(sum(x, {1}).to_vector() == V{9, 12, -9, -12});
  CHECK(sum(x, {1}).shape() == Shape{2, 1, 2});
  CHECK(sum(x, {-1}).to_vector() == V{3, 7, 11, -3, -7, -11});
  CHECK(mean(x, {1}).to_vector() == V{3, 4, -3, -4});
  CHECK(max(x, {1}).to_vector() == V{5, 6, -1, -2});
  CHECK(min(x, {1}).to_vector() == V{1, 2, -5, -6});
  CHECK(max(x).to_vector() == V{6});
  CHECK(min(x).to_vector() == V{-6});
  CHECK(std::isnan(max(Tensor::from({3}, {1, kNan, 2})).item()));
  CHECK(std::isnan(min(Tensor::from({3}, {kNan, 1, 2})).item()));
  for (const int axis : {0, 1, 2}) {
    Tensor v = some_values({3, 4, 5}, 9);
    CHECK(numeric_grad_error([&] { return probe_loss(sum(v, {axis})); }, v) < 1e-2);
    CHECK(numeric_grad_error([&] { return probe_loss(mean(v, {axis})); }, v) < 1e-2);
    CHECK(numeric_grad_error([&] { return probe_loss(max(v, {axis})); }, v, 1e-3f) < 2e-2);
    CHECK(numeric_grad_error([&] { return probe_loss(min(v, {axis})); }, v, 1e-3f) < 2e-2);
  }
  Tensor v = some_values({3, 4}, 6);
  CHECK(numeric_grad_error([&] { return scale(max(v), 2); }, v, 1e-3f) < 2e-2);
  // A normalised row: the axis stays, so the result lies along x again.
  CHECK(numeric_grad_error([&] { return probe_loss(div(v, sum(abs(v), {1}))); }, v, 1e-3f) < 2e-2);
  CHECK_THROWS_AS(sum(v, {2}), std::invalid_argument);
  CHECK_THROWS_AS(sum(v, {-3}), std::invalid_argument);
  CHECK_THROWS_AS(max(Tensor::zeros({2, 0}), {1}), std::invalid_argument);
  CHECK_THROWS_AS(max(Tensor::zeros({0})), std::invalid_argument);
}
