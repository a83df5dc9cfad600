#include "layers/activation.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layers/sequential.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::numeric_grad_error;
using ntq::test::probe_loss;
using ntq::test::some_values;

TEST_CASE("ReLU: negative values become zero, the others stay, in any shape") {
  ReLU relu;
  CHECK(relu(Tensor::from({2, 3}, {-2, -0.5f, 0, 0.25f, 3, -1e30f})).to_vector() ==
        std::vector<float>{0, 0, 0, 0.25f, 3, 0});
  CHECK(relu(Tensor::zeros({2, 3, 4, 5})).shape() == Shape{2, 3, 4, 5});
  CHECK(relu(Tensor::zeros({0, 3})).numel() == 0);
  CHECK(std::isnan(relu(Tensor::full({1}, std::nanf(""))).item()));
  CHECK(relu.state_dict().empty());
}

TEST_CASE("ReLU: the gradient passes where the value is positive, and nowhere else") {
  ReLU relu;
  Tensor x = Tensor::from({4}, {-1, 0, 2, 3}).set_requires_grad(true);
  probe_loss(relu(x)).backward();
  const Tensor probe = some_values({4}, 77);
  CHECK(x.grad().to_vector() == std::vector<float>{0, 0, probe.f32()[2], probe.f32()[3]});

  Tensor away = some_values({2, 3, 3, 2}, 5);  // no value so close to zero that a difference would cross it
  for (int64_t i = 0; i < away.numel(); ++i) away.f32()[i] += away.f32()[i] > 0 ? 0.1f : -0.1f;
  CHECK(numeric_grad_error([&] { return probe_loss(relu(away)); }, away) < 1e-3);
}

TEST_CASE("ReLU: within a Sequential, and only for float32") {
  Sequential both{std::make_shared<ReLU>(), std::make_shared<ReLU>()};
  CHECK(both(Tensor::from({2}, {-1, 1})).to_vector() == std::vector<float>{0, 1});
  CHECK_THROWS_WITH_AS(ReLU()(Tensor::zeros({2}, DType::i32)), doctest::Contains("holds I32, asked for F32"),
                       std::invalid_argument);
  CHECK_THROWS_AS(ReLU()(Tensor()), std::invalid_argument);
}
