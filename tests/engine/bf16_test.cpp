// Values between layers in bfloat16: the types that ops agree on, and their gradients'.
#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/conv.h"
#include "engine/ops/linear.h"
#include "engine/ops/loss.h"
#include "engine/ops/norm.h"
#include "engine/ops/pool.h"
#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "engine/ops/subsample.h"
#include "engine/ops/unary.h"
#include "tests/support/emulated_device.h"
#include "tests/support/numeric_grad.h"

using namespace ntq;

namespace {

using Values = std::vector<float>;

Tensor half(const Shape& shape, uint32_t seed = 1) {
  return cast(test::some_values(shape, seed), DType::bf16).set_requires_grad(true);
}

/// Largest difference as a share of the largest value.
double apart(const Tensor& a, const Tensor& b) {
  const Values x = a.to_vector(), y = b.to_vector();
  REQUIRE(x.size() == y.size());
  double worst = 0, largest = 1e-6;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, std::abs(double{x[i]} - double{y[i]}));
    largest = std::max(largest, std::abs(double{y[i]}));
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("bfloat16: cast rounds to nearest even, there and back, its gradient too") {
  const Tensor x = Tensor::from({4}, {1.0f, 1.00390625f, 1.01171875f, -3.0e-5f}).set_requires_grad(true);
  const Tensor y = cast(x, DType::bf16);
  CHECK(y.dtype() == DType::bf16);
  CHECK(y.to_vector() == Values{1.0f, 1.0f, 1.015625f, from_bf16(to_bf16(-3.0e-5f))});
  CHECK(cast(y, DType::bf16).id() == y.id());
  sum(mul(cast(y, DType::f32), Tensor::from({4}, {1, 2, 1.00390625f, 4}))).backward();
  CHECK(x.grad().dtype() == DType::f32);
  CHECK(x.grad().to_vector() == Values{1, 2, 1, 4});
  CHECK_THROWS_WITH_AS(cast(x, DType::i8), doctest::Contains("cast: expected F32 and BF16, found F32 to I8"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(cast(x.to(test::emulated_device()), DType::bf16),
                       doctest::Contains("cast: device emulated:0 has no BF16 kernel"), DeviceError);
}

TEST_CASE("bfloat16: every op gives the type of its values, and every gradient has that of its tensor") {
  const Tensor row = test::some_values({3}, 2).set_requires_grad(true);
  const Tensor step = Tensor::full({1}, 0.25f).set_requires_grad(true);
  const Tensor filters = test::some_values({2, 3, 3, 3}, 3).set_requires_grad(true);
  const Tensor x = half({2, 4, 4, 3});
  BatchNormArgs norm{row, row, Tensor::zeros({3}), Tensor::full({3}, 1)};
  norm.residual = half({2, 4, 4, 3}, 9), norm.relu = true;
  const std::vector<Tensor> results = {relu(x),
                                       square(x),
                                       scale(x, 0.3f),
                                       clamp(x, -0.5f, 0.5f),
                                       add(x, x),
                                       add(x, row),
                                       mul(row, x),
                                       sub(1.0f, x),
                                       div(x, 3.0f),
                                       max(x, 0.0f),
                                       where(less(x, 0.0f), x, x),
                                       quantize(x, step, {.range = {-8, 7}}),
                                       conv2d(x, filters, {.padding = 1}),
                                       batch_norm(x, norm),
                                       max_pool2d(x, {}),
                                       avg_pool2d(x, {}),
                                       global_avg_pool(x),
                                       subsample_pad_channels(x, 2, 1),
                                       sum(x, Axis{0}),
                                       max(x, Axis{-1}),
                                       max(x),
                                       linear(half({8, 12}), test::some_values({5, 12}, 4))};
  for (size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i);
    CHECK(results[i].dtype() == DType::bf16);
    if (results[i].requires_grad()) sum(results[i]).backward();
  }
  CHECK(sum(x).dtype() == DType::f32);
  CHECK(x.grad().dtype() == DType::bf16);
  for (const Tensor& t : {row, step, filters}) CHECK(t.grad().dtype() == DType::f32);
}

TEST_CASE("bfloat16: results and gradients are near float32's") {
  const auto check_near = [](const char* what, const Shape& shape, const std::function<Tensor(const Tensor&)>& op) {
    CAPTURE(std::string(what));
    const Tensor x = half(shape), wide = cast(x.detach(), DType::f32).set_requires_grad(true);
    const Tensor y = op(x), expected = op(wide);
    CHECK(apart(y, expected) < 0.01);
    test::probe_loss(cast(y, DType::f32)).backward();
    test::probe_loss(expected).backward();
    CHECK(apart(x.grad(), wide.grad()) < 0.02);
  };
  const Tensor filters = test::some_values({16, 3, 3, 16}, 3), row = test::some_values({16}, 4);
  check_near("conv2d", {2, 8, 8, 16}, [&](const Tensor& x) { return conv2d(x, filters, {.padding = 1}); });
  check_near("strided conv2d", {2, 8, 8, 16}, [&](const Tensor& x) { return conv2d(x, filters, {.stride = 2}); });
  check_near("linear", {7, 16}, [&](const Tensor& x) { return linear(x, filters.view({144, 16})); });
  check_near("batch_norm", {64, 16}, [&](const Tensor& x) {
    return batch_norm(x, {row, row, Tensor::zeros({16}), Tensor::full({16}, 1)});
  });
  check_near("mul by a row", {9, 16}, [&](const Tensor& x) { return mul(x, row); });
  check_near("avg_pool2d", {2, 8, 8, 3}, [](const Tensor& x) { return avg_pool2d(x, {}); });
  check_near("overlapping max_pool2d", {2, 8, 8, 3},
             [](const Tensor& x) { return max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1}); });
  check_near("mean over an axis", {6, 40}, [](const Tensor& x) { return mean(x, Axis{1}); });
}

TEST_CASE("bfloat16: two gradients of one value are added in its type") {
  const Tensor x = half({300});
  const Tensor y = scale(x, 2.0f);
  sum(add(mul(y, y), y)).backward();
  REQUIRE(x.grad().dtype() == DType::bf16);
  for (size_t i = 0; i < 300; ++i) {
    const float v = x.to_vector()[i];
    CHECK(x.grad().to_vector()[i] == doctest::Approx(8 * v + 2).epsilon(0.02));
  }
}

TEST_CASE("bfloat16: types that do not agree are refused in words") {
  const Tensor x = half({2, 3}), wide = test::some_values({2, 3});
  CHECK_THROWS_WITH_AS(add(x, wide), doctest::Contains("add: the tensors are BF16 and F32; expected one type"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(add(wide, half({3})), doctest::Contains("F32 and BF16"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(linear(wide, half({4, 3}).detach()), doctest::Contains("F32 and BF16"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(softmax_cross_entropy(x, Tensor::zeros({2}, DType::i32)),
                       doctest::Contains("softmax_cross_entropy: device cpu has no BF16 kernel"), DeviceError);
  CHECK_THROWS_WITH_AS(Tensor(x).set_grad(wide), doctest::Contains("expected BF16 {2,3}, found F32 {2,3}"),
                       std::invalid_argument);
  CHECK_THROWS_AS(Tensor::zeros({1}, DType::i32).set_requires_grad(true), std::invalid_argument);
  const Tensor y = custom_grad(
      {"mine"}, {x}, [&] { return x.clone(); }, [&](const Tensor&) { return std::vector{wide}; });
  CHECK_THROWS_WITH_AS(sum(y).backward(), doctest::Contains("gradient 0 of an op is F32 {2,3}, expected BF16 {2,3}"),
                       std::invalid_argument);
}

TEST_CASE("bfloat16: values are read as floats") {
  CHECK(cast(Tensor::full({1}, 3), DType::bf16).item() == 3);
  CHECK(cast(Tensor::from({2}, {1, -2}), DType::bf16).rows(1, 2).to_vector() == Values{-2});
  CHECK_THROWS_AS(cast(Tensor::full({1}, 3), DType::bf16).item<double>(), std::invalid_argument);
}
