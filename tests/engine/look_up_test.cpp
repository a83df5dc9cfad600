// Tables of levels: where values belong, and what is refused.
#include "engine/ops/look_up.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/values.h"

using namespace ntq;
using LookUpFloats = std::vector<float>;

TEST_CASE("look_up: a value on a threshold belongs below it; what is not finite has no entry") {
  const Tensor thresholds = Tensor::from({2}, {-1, 1}), entries = Tensor::from({3}, {5, 6, 7});
  const float least_above = std::nextafter(1.0f, 2.0f);
  const Tensor y = look_up(Tensor::from({7}, {-3, -1, 0, 1, least_above, INFINITY, NAN}), thresholds, entries);
  CHECK(y.rows(0, 5).to_vector() == LookUpFloats{5, 5, 6, 6, 7});
  CHECK(std::isnan(y.f32()[5]));
  CHECK(std::isnan(y.f32()[6]));
  CHECK(look_up_places(Tensor::from({3}, {-3, 0, 3}), thresholds, {-1, 1}).to_vector<int8_t>() ==
        std::vector<int8_t>{-1, 0, 1});
  CHECK(look_up_places(Tensor::from({3}, {-3, 0, 3}), thresholds, {0, 2}).dtype() == DType::u8);
}

TEST_CASE("look_up: a table for each slice, with its own sums") {
  const Tensor x = Tensor::from({2, 3}, {1, 2, 3, 1, 2, 3});
  const Tensor thresholds = Tensor::from({2, 1}, {1.5f, 2.5f}), entries = Tensor::from({2, 2}, {10, 20, 30, 40});
  const auto [y, sums] = look_up_with_sums(x, thresholds, entries);
  CHECK(y.to_vector() == LookUpFloats{10, 20, 20, 30, 30, 40});
  CHECK(sums.shape() == Shape{2, 2, 2});
  CHECK(sums.to_vector<double>() == std::vector<double>{1, 2, 2, 1, 1, 5, 3, 3});
  const auto [dx, of_dy] = look_up_grad(x, thresholds, entries, Tensor::from({2, 3}, {1, 0, -1, 2, 0, 1}), DType::f32);
  CHECK(dx.to_vector() == LookUpFloats{10, 0, -20, 60, 0, 40});
  CHECK(of_dy.to_vector() == LookUpFloats{1, -1, 2, 1, 1, -3, 2, 3});
}

TEST_CASE("look_up: the ends of a line belong to it, also where it begins at 0") {
  const Tensor dy = Tensor::from({5}, {1, 2, 4, 8, 16});
  for (const float low : {0.0f, 0.75f, -0.75f}) {
    CAPTURE(low);
    const float before = std::nextafter(low, -2.0f), behind = std::nextafter(2.0f, 3.0f);
    const Tensor x = Tensor::from({5}, {low == 0 ? -1e-20f : before, low, 1, 2, behind});
    const Line line{Tensor::full({1}, low), Tensor::full({1}, 2), Tensor::full({1}, 0.5f)};
    const LinearGrad g = linear_grad(x, line, dy);
    CHECK(g.dx.to_vector() == LookUpFloats{0, 1, 2, 4, 0});
    CHECK(g.sum.item() == 7);
    CHECK(g.sum_x.item() == low + 10);
  }
}

TEST_CASE("look_up: tables that do not fit are refused") {
  const Tensor x = Tensor::zeros({3, 2});
  const auto wrong = [&](const Shape& thresholds, const Shape& entries) {
    CHECK_THROWS_WITH_AS(look_up(x, Tensor::zeros(thresholds), Tensor::zeros(entries)),
                         doctest::Contains("look_up: expected {n-1} thresholds and {n} entries"),
                         std::invalid_argument);
  };
  wrong({2}, {2});
  wrong({2, 1}, {2, 2});
  wrong({0}, {1});
  wrong({kMostEntries}, {kMostEntries + 1});
  CHECK_THROWS_AS(companding({}, Tensor::full({1}, 1), {.steps = 7, .pieces = 2}), std::invalid_argument);
  CHECK_THROWS_AS(basis_levels(Tensor::zeros({1, 9}), {.bits = 9}), std::invalid_argument);
}
