#include "layers/linear.h"

#include <doctest/doctest.h>

#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using doctest::Contains;
using ntq::test::check_close;

TEST_CASE("Linear: by hand, with and without bias") {
  const Tensor x = Tensor::from({2, 2}, {1, 2, 3, 4});
  for (const bool bias : {true, false}) {
    Linear linear({.in_features = 2, .out_features = 3, .bias = bias});
    Tensor weight = linear.weight();
    weight.copy_from(Tensor::from({3, 2}, {1, 0, 0, 1, 1, -1}));
    if (bias) linear.named_parameters()[1].second.copy_from(Tensor::from({3}, {10, 20, 30}));
    const Tensor y = linear(x);
    CHECK(y.shape() == Shape{2, 3});
    if (bias) {
      check_close(y, {11, 22, 29, 13, 24, 29});
    } else {
      check_close(y, {1, 2, -1, 3, 4, -1});
    }
  }
}

TEST_CASE("Linear: quantized input and weights, by hand") {
  Linear linear({.in_features = 2,
                 .out_features = 1,
                 .bias = false,
                 .weight_quant = {.method = "lsq", .bits = 2},
                 .input_quant = {.method = "lsq", .bits = 2, .is_signed = false},
                 .name = "fc"});
  Tensor weight = linear.weight();
  weight.copy_from(Tensor::from({1, 2}, {0.6f, -3.0f}));
  linear.weight_quantizer()->step().fill(0.5f);
  linear.input_quantizer()->step().fill(2.0f);
  // Weights {0.5, -1}, inputs {4, 6}: the range of 2 bits ends at 3 steps.
  check_close(linear(Tensor::from({1, 2}, {4.9f, 100.0f})), {-4});
  CHECK(linear.weight_quantizer()->spec().name == "fc.weight_quant");
  CHECK(linear.input_quantizer()->spec().name == "fc.input_quant");
}

TEST_CASE("Linear: numeric gradients") {
  Linear linear({.in_features = 4, .out_features = 3});
  const Tensor x = test::some_values({5, 4});
  const auto loss = [&] { return test::probe_loss(linear(x)); };
  test::check_gradients(loss, x, linear, 1e-3);
}

TEST_CASE("Linear: errors name the layer") {
  Linear linear({.in_features = 4, .out_features = 3, .name = "fc"});
  for (const Tensor& x : {Tensor(), Tensor::zeros({2, 5}), Tensor::zeros({2, 2, 4})})
    CHECK_THROWS_WITH_AS(linear(x), Contains("Linear fc: input must be {N,4}"), std::invalid_argument);
  for (const LinearOptions& bad : {LinearOptions{.in_features = 0, .name = "fc"}, {.out_features = 0, .name = "fc"}})
    CHECK_THROWS_WITH_AS(Linear{bad}, Contains("Linear fc: features must be >= 1"), std::invalid_argument);
}

TEST_CASE("Linear: the bias as the weight's method has it, NICE's in steps of weight times input") {
  Linear linear({.in_features = 2,
                 .out_features = 1,
                 .weight_quant = {.method = "nice", .bits = 2},
                 .input_quant = {.method = "nice", .bits = 2, .is_signed = false},
                 .name = "fc"});
  linear.eval();
  const Tensor x = Tensor::from({1, 2}, {1, 2});
  linear(x);
  linear.weight_quantizer()->step().fill(0.5f);
  linear.input_quantizer()->parameters()[0].value.fill(3.0f);  // steps of 1
  Tensor weight = linear.weight(), bias = linear.bias();
  weight.copy_from(Tensor::from({1, 2}, {0.6f, 0.1f}));
  bias.fill(0.7f);
  CHECK(linear.quantized_bias().item() == 0.5f);
  check_close(linear(x), {1.0});
  linear.weight_quantizer()->enable(false);
  linear.input_quantizer()->enable(false);
  check_close(linear(x), {0.6 + 0.2 + 0.7});
}
