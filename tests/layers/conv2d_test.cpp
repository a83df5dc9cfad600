#include "layers/conv2d.h"

#include <doctest/doctest.h>

#include "engine/ops/conv.h"
#include "tests/support/module.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using doctest::Contains;
using ntq::test::check_close;
using ntq::test::names_of;
using ntq::test::same_values;
using ntq::test::some_values;

namespace {

Conv2dOptions quantized() {
  return {.in_channels = 2,
          .out_channels = 3,
          .padding = 1,
          .weight_quant = {.method = "lsq", .bits = 3},
          .input_quant = {.method = "lsq", .bits = 2, .is_signed = false},
          .name = "layer1.0.conv1"};
}

}  // namespace

TEST_CASE("Conv2d: a 2x2 kernel with bias by hand") {
  Conv2d conv({.kernel = 2, .bias = true});
  Tensor weight = conv.weight();
  weight.copy_from(Tensor::from({1, 2, 2, 1}, {1, 2, 3, 4}));
  conv.named_parameters()[1].second.fill(0.5f);
  const Tensor y = conv(Tensor::from({1, 2, 3, 1}, {1, 2, 3, 4, 5, 6}));
  CHECK(y.shape() == Shape{1, 1, 2, 1});
  check_close(y, {37.5, 47.5});  // 1*1 + 2*2 + 3*4 + 4*5 + 0.5, ...
}

TEST_CASE("Conv2d: shapes, names and who is trained") {
  Conv2d conv({.in_channels = 2, .out_channels = 5, .stride = 2, .padding = 1});
  CHECK(conv(some_values({2, 7, 6, 2})).shape() == Shape{2, 4, 3, 5});
  CHECK(names_of(conv.state_dict()) == std::vector<std::string>{"weight"});
  CHECK(conv.weight().requires_grad());
  CHECK(conv.weight_quantizer() == nullptr);

  Conv2d quant(quantized());
  CHECK(names_of(quant.state_dict()) == std::vector<std::string>{"weight", "input_quant.step", "weight_quant.step",
                                                                 "input_quant.calls", "weight_quant.calls"});
  CHECK(quant.weight_quantizer()->spec().name == "layer1.0.conv1.weight_quant");
  CHECK(quant.input_quantizer()->spec().name == "layer1.0.conv1.input_quant");
  CHECK(quant.weight_quantizer()->spec().is_weight);
  CHECK_FALSE(quant.input_quantizer()->spec().is_weight);
}

TEST_CASE("Conv2d: computes with the quantized input and filters, and backward uses these same tensors") {
  auto options = quantized();
  options.weight_quant = {.method = "ntq", .bits = 3, .settings = {{"noise", 0.3}}};
  Conv2d conv(options), twin(options);
  Tensor x = some_values({2, 4, 4, 2});
  x.set_requires_grad(true);
  const Tensor y = conv(x);

  Tensor xq = twin.input_quantizer()->forward(x.detach()), wq = twin.weight_quantizer()->forward(twin.weight());
  xq = xq.detach().set_requires_grad(true);
  wq = wq.detach().set_requires_grad(true);
  const Tensor expected = conv2d(xq, wq, {.padding = 1});
  CHECK(same_values(y, expected));

  test::probe_loss(y).backward();
  test::probe_loss(expected).backward();
  // Straight through: inside the range the gradient of the quantized tensor passes unchanged, outside it is 0.
  const auto check_mask = [](const Tensor& value, const Tensor& grad, const Quantizer& q, const Tensor& inner) {
    for (int64_t i = 0; i < value.numel(); ++i) {
      const float v = value.f32()[i] / q.step().item();
      const bool inside = q.range().low < v && v < q.range().high;
      CHECK(grad.f32()[i] == (inside ? inner.f32()[i] : 0.0f));
    }
  };
  check_mask(x, x.grad(), *conv.input_quantizer(), xq.grad());
  check_mask(conv.weight(), conv.weight().grad(), *conv.weight_quantizer(), wq.grad());
}

TEST_CASE("Conv2d: numeric gradients") {
  Conv2d conv({.in_channels = 2, .out_channels = 3, .stride = 2, .padding = 1, .bias = true, .seed = 5});
  const Tensor x = some_values({2, 5, 4, 2});
  const auto loss = [&] { return test::probe_loss(conv(x)); };
  test::check_gradients(loss, x, conv, 1e-3);
}

TEST_CASE("Conv2d: errors name the layer") {
  Conv2d conv(quantized());
  for (const Tensor& x : {Tensor(), Tensor::zeros({4, 4, 2}), Tensor::zeros({1, 4, 4, 3})})
    CHECK_THROWS_WITH_AS(conv(x), Contains("layer1.0.conv1: input must be {N,H,W,2}"), std::invalid_argument);
  Conv2d wide({.kernel = 5, .padding = 1, .name = "stem"});
  CHECK_THROWS_WITH_AS(wide(Tensor::zeros({1, 2, 8, 1})), Contains("stem: images must be at least 3 pixels"),
                       std::invalid_argument);
  for (const Conv2dOptions& bad : {Conv2dOptions{.in_channels = 0, .name = "c"},
                                   {.out_channels = 0, .name = "c"},
                                   {.kernel = 0, .name = "c"},
                                   {.stride = 0, .name = "c"},
                                   {.padding = -1, .name = "c"}})
    CHECK_THROWS_WITH_AS(Conv2d{bad}, Contains("Conv2d c: channels, kernel and stride"), std::invalid_argument);
  auto bits = quantized();
  bits.weight_quant.bits = 9;
  CHECK_THROWS_WITH_AS(Conv2d{bits}, Contains("layer1.0.conv1.weight_quant: bits"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(Conv2d({.in_channels = 4, .out_channels = 6, .groups = 2, .name = "dw"}),
                       Contains("Conv2d dw: groups = 2 for 4 input and 6 output channels"), std::invalid_argument);
}
