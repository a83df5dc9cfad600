#include "layers/batch_norm.h"

#include <doctest/doctest.h>

#include "engine/ops/binary.h"
#include "engine/ops/unary.h"
#include "tests/support/module.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using doctest::Contains;
using ntq::test::check_close;
using ntq::test::some_values;
using ntq::test::state_of;

namespace {

// Channel 0: 1, 2, 3, 4 (mean 2.5, biased variance 1.25); channel 1: 0, 0, 0, 8 (mean 2, biased variance 12).
Tensor batch() { return Tensor::from({2, 1, 2, 2}, {1, 0, 2, 0, 3, 0, 4, 8}); }

}  // namespace

TEST_CASE("BatchNorm2d: training by hand, with the running statistics") {
  BatchNorm2d norm({.channels = 2, .momentum = 0.1f});
  state_of(norm, "weight").copy_from(Tensor::from({2}, {1, 2}));
  state_of(norm, "bias").copy_from(Tensor::from({2}, {0, 1}));
  const double a = 1 / std::sqrt(1.25 + 1e-5), b = 2 / std::sqrt(12 + 1e-5);
  check_close(norm(batch()), {-1.5 * a, -2 * b + 1, -.5 * a, -2 * b + 1, .5 * a, -2 * b + 1, 1.5 * a, 6 * b + 1});
  check_close(state_of(norm, "running_mean"), {.25, .2});
  check_close(state_of(norm, "running_var"), {.9 + .1 * 5 / 3, .9 + .1 * 16});  // unbiased: n - 1 = 3
  norm(batch());
  check_close(state_of(norm, "running_mean"), {.9 * .25 + .25, .9 * .2 + .2});
}

TEST_CASE("BatchNorm2d: evaluation uses the running statistics and leaves them alone") {
  BatchNorm2d norm({.channels = 2});
  state_of(norm, "running_mean").copy_from(Tensor::from({2}, {1, -1}));
  state_of(norm, "running_var").copy_from(Tensor::from({2}, {4, 1}));
  norm.eval();
  const double a = 1 / std::sqrt(4 + 1e-5), b = 1 / std::sqrt(1 + 1e-5);
  check_close(norm(batch()), {0, b, a, b, 2 * a, b, 3 * a, 9 * b});
  check_close(state_of(norm, "running_mean"), {1, -1});
  check_close(state_of(norm, "running_var"), {4, 1});
}

TEST_CASE("BatchNorm2d: forward_relu equals its composed twin") {
  for (const bool with_residual : {false, true}) {
    Tensor grads[2], outputs[2], residual_grads[2];
    for (const bool fused : {false, true}) {
      BatchNorm2d norm({.channels = 3});
      Tensor x = some_values({4, 2, 2, 3}, 1), r = some_values({4, 2, 2, 3}, 2);
      x.set_requires_grad(true);
      r.set_requires_grad(true);
      const Tensor residual = with_residual ? r : Tensor();
      const auto composed = [&] { return relu(with_residual ? add(norm(x), r) : norm(x)); };
      const Tensor y = fused ? norm.forward_relu(x, residual) : composed();
      test::probe_loss(y).backward();
      outputs[fused] = y, grads[fused] = x.grad(), residual_grads[fused] = r.grad();
    }
    const auto wanted = [](const Tensor& t) {
      const auto v = t.to_vector();
      return std::vector<double>(v.begin(), v.end());
    };
    check_close(outputs[1], wanted(outputs[0]), 1e-5);
    check_close(grads[1], wanted(grads[0]), 1e-5);
    if (with_residual) check_close(residual_grads[1], wanted(residual_grads[0]), 1e-5);
  }
}

TEST_CASE("BatchNorm2d: numeric gradients in training and in evaluation") {
  BatchNorm2d norm({.channels = 3});
  state_of(norm, "running_var").fill(0.5f);
  const Tensor x = some_values({3, 2, 2, 3});
  const auto loss = [&] { return test::probe_loss(norm(x)); };
  for (const bool training : {true, false}) {
    if (training)
      norm.train();
    else
      state_of(norm, "running_var").fill(0.5f), norm.eval();
    CAPTURE(training);
    test::check_gradients(loss, x, norm, 3e-3);
  }
}

TEST_CASE("BatchNorm2d: errors") {
  BatchNorm2d norm({.channels = 2});
  for (const Tensor& x : {Tensor(), Tensor::zeros({2}), Tensor::zeros({1, 2, 2, 3})})
    CHECK_THROWS_WITH_AS(norm(x), Contains("BatchNorm2d: input must be {...,2}"), std::invalid_argument);
  CHECK_THROWS_AS(norm.forward_relu(batch(), Tensor::zeros({2, 1, 2, 1})), std::invalid_argument);
  CHECK_THROWS_WITH_AS(norm(Tensor::zeros({1, 1, 1, 2})), Contains("more than one value per channel"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(BatchNorm2d({.channels = 0}), Contains("channels"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(BatchNorm2d({.momentum = 1.5f}), Contains("momentum"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(BatchNorm2d({.eps = 0}), Contains("eps"), std::invalid_argument);
}

TEST_CASE("BatchNorm2d: momentum 1/k over batches is their plain mean") {
  BatchNorm2d norm({.channels = 2});
  for (int k = 1; k <= 3; ++k) {
    norm.set_momentum(1.0f / static_cast<float>(k));
    norm(scale(batch(), static_cast<float>(k)));
  }
  check_close(state_of(norm, "running_mean"), {2.5 * 2, 2 * 2});
  CHECK_THROWS_AS(norm.set_momentum(1.5f), std::invalid_argument);
}
