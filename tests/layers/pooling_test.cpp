#include "layers/pooling.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using doctest::Contains;
using ntq::test::check_close;
using ntq::test::numeric_grad_error;
using ntq::test::probe_loss;
using ntq::test::some_values;

namespace {

/// {1,3,4,1}: 1 to 12, row by row.
Tensor counted() { return Tensor::from({1, 3, 4, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}); }

}  // namespace

TEST_CASE("MaxPool2d: windows, strides and padding by hand") {
  CHECK(MaxPool2d({.kernel = 2, .stride = 2})(counted()).to_vector() == std::vector<float>{6, 8});
  CHECK(MaxPool2d({.kernel = 2, .stride = 1})(counted()).to_vector() == std::vector<float>{6, 7, 8, 10, 11, 12});
  // 3x3 windows around pixels (0,0), (0,2), (2,0), (2,2).
  CHECK(MaxPool2d({.kernel = 3, .stride = 2, .padding = 1})(counted()).to_vector() == std::vector<float>{6, 8, 10, 12});
  CHECK(MaxPool2d({.kernel = 3, .stride = 2, .padding = 1})(some_values({2, 7, 8, 5})).shape() == Shape{2, 4, 4, 5});
  // Padding never wins, however small the values are; channels are apart.
  const Tensor small = Tensor::from({1, 1, 2, 2}, {-5, -1e30f, -3, -2e30f});
  CHECK(MaxPool2d({.kernel = 2, .stride = 2, .padding = 1})(small).to_vector() ==
        std::vector<float>{-5, -1e30f, -3, -2e30f});
}

TEST_CASE("MaxPool2d: the gradient goes to the maximum, of equal ones to the first") {
  MaxPool2d pool({.kernel = 2, .stride = 1});
  Tensor x = Tensor::from({1, 2, 3, 1}, {1, 4, 2, 4, 0, 3}).set_requires_grad(true);
  const Tensor y = pool(x);
  CHECK(y.to_vector() == std::vector<float>{4, 4});
  sum(y).backward();
  CHECK(x.grad().to_vector() == std::vector<float>{0, 2, 0, 0, 0, 0});

  Tensor apart = Tensor::empty({2, 5, 4, 3});  // all values further apart than a difference reaches
  for (int64_t i = 0; i < apart.numel(); ++i) apart.f32()[i] = static_cast<float>(i * 37 % 120) * 0.1f;
  for (const PoolOptions& o : {PoolOptions{2, 2, 0}, PoolOptions{3, 2, 1}, PoolOptions{3, 1, 1}}) {
    MaxPool2d each(o);
    CHECK(numeric_grad_error([&] { return probe_loss(each(apart)); }, apart) < 2e-3);
  }
}

TEST_CASE("MaxPool2d: what is not a number stays visible") {
  Tensor x = counted();
  x.f32()[0] = std::nanf("");
  const Tensor y = MaxPool2d({.kernel = 2, .stride = 2})(x);
  CHECK(std::isnan(y.f32()[0]));
  CHECK(y.f32()[1] == 8);
}

TEST_CASE("AvgPool2d: means of the pixels that are there") {
  check_close(AvgPool2d({.kernel = 2, .stride = 2})(counted()), {3.5, 5.5});
  // 3x3 around (0,0): 1 2 5 6; around (0,2): 2 3 4 6 7 8; around (2,0): 5 6 9 10; around (2,2): 6 7 8 10 11 12.
  check_close(AvgPool2d({.kernel = 3, .stride = 2, .padding = 1})(counted()), {3.5, 5, 7.5, 9});
  Tensor x = some_values({2, 5, 4, 3}, 3);
  for (const PoolOptions& o : {PoolOptions{2, 2, 0}, PoolOptions{3, 2, 1}, PoolOptions{4, 3, 2}}) {
    AvgPool2d each(o);
    CHECK(numeric_grad_error([&] { return probe_loss(each(x)); }, x) < 1e-3);
  }
}

TEST_CASE("GlobalAvgPool: one mean per image and channel") {
  const Tensor x = Tensor::from({2, 1, 2, 2}, {1, 10, 3, 30, 5, 50, 8, 80});
  const Tensor y = GlobalAvgPool()(x);
  CHECK(y.shape() == Shape{2, 2});
  check_close(y, {2, 20, 6.5, 65});
  GlobalAvgPool pool;
  Tensor z = some_values({2, 3, 5, 4}, 9);
  CHECK(numeric_grad_error([&] { return probe_loss(pool(z)); }, z) < 1e-3);
}

TEST_CASE("pooling: wrong sizes and inputs are refused") {
  const Tensor x = counted();
  CHECK_THROWS_WITH_AS(MaxPool2d({.kernel = 4, .stride = 1})(x), Contains("kernel 4 is larger than the images"),
                       std::invalid_argument);
  for (const PoolOptions& o : {PoolOptions{0, 1, 0}, PoolOptions{2, 0, 0}, PoolOptions{2, 1, -1}, PoolOptions{2, 1, 2},
                               PoolOptions{int64_t{1} << 62, 1, int64_t{1} << 61}}) {
    CHECK_THROWS_WITH_AS(MaxPool2d{o}(x), Contains("expected kernel and stride of 1 to 2^30"), std::invalid_argument);
    CHECK_THROWS_AS(AvgPool2d{o}(x), std::invalid_argument);
  }
  CHECK_THROWS_WITH_AS(MaxPool2d({})(Tensor::zeros({2, 3})), Contains("expected images {N,H,W,C}, found {2,3}"),
                       std::invalid_argument);
  // Windows that lie in the padding alone have no pixel to take.
  CHECK_THROWS_WITH_AS(MaxPool2d({.kernel = 2, .padding = 1})(Tensor::zeros({1, 0, 4, 1})),
                       Contains("expected images with pixels"), std::invalid_argument);
  CHECK_THROWS_AS(GlobalAvgPool()(Tensor::zeros({1, 0, 4, 1})), std::invalid_argument);
  CHECK_THROWS_AS(GlobalAvgPool()(Tensor::zeros({4, 1})), std::invalid_argument);
}
