// Sequential, and the modules without parameters that go into it.
#include "layers/sequential.h"

#include <doctest/doctest.h>

#include "layers/activation.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "layers/pooling.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;

TEST_CASE("pooling and ReLU modules by hand") {
  const Tensor x = Tensor::from({1, 2, 2, 2}, {1, -8, 2, -7, 3, -6, 4, -5});
  check_close(MaxPool2d({.kernel = 2, .stride = 2}).forward(x), {4, -5});
  check_close(AvgPool2d({.kernel = 2, .stride = 2}).forward(x), {2.5, -6.5});
  const Tensor pooled = GlobalAvgPool().forward(x);
  CHECK(pooled.shape() == Shape{1, 2});
  check_close(pooled, {2.5, -6.5});
  check_close(ReLU().forward(x), {1, 0, 2, 0, 3, 0, 4, 0});
}

TEST_CASE("Sequential: order, names, train and eval reach all") {
  const auto norm = std::make_shared<BatchNorm2d>(BatchNormOptions{.channels = 2});
  Sequential net{std::make_shared<ReLU>(), norm};
  net.append(std::make_shared<GlobalAvgPool>());
  CHECK(net.size() == 3);
  CHECK(net.named_parameters()[0].first == "1.weight");
  net.eval();
  CHECK_FALSE(norm->training());
  check_close(net(Tensor::from({1, 1, 2, 2}, {-1, 2, 3, 4})), {1.5, 3}, 1e-4);
  const Tensor x = Tensor::full({2}, 3.0f);
  CHECK(test::same_values(Sequential().forward(x), x));
  CHECK_THROWS_WITH_AS(net.append(nullptr), doctest::Contains("module 3 is null"), std::invalid_argument);
}

TEST_CASE("a small network: numeric gradients of everything") {
  Sequential net{
      std::make_shared<Conv2d>(Conv2dOptions{.in_channels = 2, .out_channels = 3, .padding = 1, .name = "conv"}),
      std::make_shared<BatchNorm2d>(BatchNormOptions{.channels = 3}), std::make_shared<ReLU>(),
      std::make_shared<GlobalAvgPool>(),
      std::make_shared<Linear>(LinearOptions{.in_features = 3, .out_features = 2, .name = "fc"})};
  const Tensor x = test::some_values({4, 3, 3, 2});
  const auto loss = [&] { return test::probe_loss(net(x)); };
  // Small steps, as a ReLU's kink between the two points counts as an error.
  test::check_gradients(loss, x, net, 2e-2, 1e-3f);
}
