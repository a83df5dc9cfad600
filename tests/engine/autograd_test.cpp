#include "engine/autograd.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/backend/cpu_settings.h"
#include "engine/ops/binary.h"
#include "engine/ops/conv.h"
#include "engine/ops/linear.h"
#include "engine/ops/pool.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/subsample.h"
#include "engine/ops/unary.h"
#include "tests/support/numeric_grad.h"

using namespace ntq;
using namespace ntq::test;

namespace {
constexpr double kTolerance = 2e-3;  // float32 with differences of 1e-2
}

TEST_CASE("a value used twice gets both gradients; leaves accumulate over calls") {
  Tensor x = Tensor::from({2}, {3, 5});
  x.set_requires_grad(true);
  sum(add(mul(x, x), x)).backward();  // d(x^2 + x) = 2x + 1
  CHECK(x.grad().to_vector() == std::vector<float>{7, 11});
  sum(scale(x, 2)).backward();
  CHECK(x.grad().to_vector() == std::vector<float>{9, 13});
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("accumulation never writes into memory that another handle sees") {
  Tensor x = Tensor::from({2}, {1, 2}), y = Tensor::from({2}, {3, 4});
  x.set_requires_grad(true);
  y.set_requires_grad(true);
  sum(add(add(x, y), x)).backward();  // add hands the same gradient to both of its inputs
  CHECK(x.grad().to_vector() == std::vector<float>{2, 2});
  CHECK(y.grad().to_vector() == std::vector<float>{1, 1});
}

TEST_CASE("nothing is recorded under NoGrad, and a graph works once") {
  Tensor x = Tensor::from({1}, {2});
  x.set_requires_grad(true);
  {
    const NoGrad off;
    CHECK_FALSE(mul(x, x).requires_grad());
  }
  const Tensor y = mul(x, x);
  y.backward();
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("used already"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(Tensor::zeros({1}).backward(), doctest::Contains("nothing that was recorded"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(mul(Tensor::zeros({3}), Tensor::zeros({2})), doctest::Contains("shapes {3} and {2}"),
                       std::invalid_argument);
}

TEST_CASE("a graph keeps what gradients read, and no more") {
  Tensor x = some_values({64, 64}, 1);
  x.set_requires_grad(true);
  const auto twice = [](const Tensor& t) {  // whose gradient reads no values
    return custom_grad(
        {"twice"}, {t}, [&] { return scale(t, 2); }, [](const Tensor& g) { return std::vector<Tensor>{scale(g, 2)}; });
  };
  const size_t before = cpu_memory().in_use;
  const Tensor loss = sum(twice(twice(x)));
  CHECK(cpu_memory().in_use - before < x.bytes());
  loss.backward();
  CHECK(x.grad().to_vector() == std::vector<float>(64 * 64, 4.0f));
  CHECK_THROWS_WITH_AS(twice(x).for_graph().to_vector(), doctest::Contains("kept no values"), std::invalid_argument);
}

TEST_CASE("custom_grad runs a gradient of one's own: a straight-through round") {
  Tensor x = Tensor::from({3}, {0.4f, 1.6f, -2.2f});
  x.set_requires_grad(true);
  const Tensor y = custom_grad(
      {"doubled"}, {x},
      [&] {
        Tensor out = x.clone();
        for (int i = 0; i < 3; ++i) out.f32()[i] = std::nearbyint(out.f32()[i]);
        return out;
      },
      [](const Tensor& dy) { return std::vector<Tensor>{dy}; });
  sum(y).backward();
  CHECK(y.to_vector() == std::vector<float>{0, 2, -2});
  CHECK(x.grad().to_vector() == std::vector<float>{1, 1, 1});
}

TEST_CASE("a long chain is run and destroyed without recursion") {
  Tensor x = Tensor::from({1}, {1});
  x.set_requires_grad(true);
  Tensor y = x;
  for (int i = 0; i < 100000; ++i) y = add(y, x);
  y.backward();
  CHECK(x.grad().item() == 100001.0f);
  y = x;
  for (int i = 0; i < 100000; ++i) y = scale(y, 1.0f);
  y = {};  // never run
}

TEST_CASE("numeric gradients: elementwise and shape ops") {
  Tensor x = some_values({2, 4, 6}, 1), other = some_values({2, 4, 6}, 2), bias = some_values({6}, 3);
  CHECK(numeric_grad_error([&] { return probe_loss(mul(add(x, other), x)); }, x) < kTolerance);
  CHECK(numeric_grad_error([&] { return probe_loss(relu(add(x, bias))); }, bias, 1e-3f) < 2e-2);
  CHECK(numeric_grad_error([&] { return mean(reshape(scale(x, 3), {48})); }, x) < kTolerance);
  Tensor image = some_values({2, 5, 4, 3}, 4);
  CHECK(numeric_grad_error([&] { return probe_loss(subsample_pad_channels(image, 2, 1)); }, image) < kTolerance);
}

TEST_CASE("numeric gradients: convolution and linear, for input and weight") {
  Tensor x = some_values({2, 6, 5, 3}, 1), w = some_values({4, 3, 3, 3}, 2);
  for (const int64_t stride : {1, 2}) {
    const auto loss = [&] { return probe_loss(conv2d(x, w, {.stride = stride, .padding = 1})); };
    CHECK(numeric_grad_error(loss, x) < kTolerance);
    CHECK(numeric_grad_error(loss, w) < kTolerance);
  }
  Tensor rows = some_values({3, 7}, 3), weight = some_values({5, 7}, 4);
  CHECK(numeric_grad_error([&] { return probe_loss(linear(rows, weight)); }, rows) < kTolerance);
  CHECK(numeric_grad_error([&] { return probe_loss(linear(rows, weight)); }, weight) < kTolerance);
}

TEST_CASE("numeric gradients: pooling of windows that overlap") {
  Tensor x = some_values({2, 6, 6, 3}, 1);
  CHECK(numeric_grad_error([&] { return probe_loss(avg_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1})); }, x) <
        kTolerance);
  CHECK(numeric_grad_error([&] { return probe_loss(max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1})); }, x,
                           1e-4f) < 2e-2);
}
