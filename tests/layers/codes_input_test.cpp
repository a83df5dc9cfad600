// Layers whose input comes as codes.
#include <doctest/doctest.h>

#include "layers/conv2d.h"
#include "layers/linear.h"
#include "quant/method.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::same_values;

namespace {

// Values behind a ReLU as 4-bit codes, from a quantizer of their own.
Codes some_codes(const Shape& shape) {
  const auto q = make_quantizer({.method = "lsq", .bits = 4, .is_signed = false, .is_weight = false, .name = "before"});
  const Tensor x = test::some_values(shape);
  for (int64_t i = 0; i < x.numel(); ++i) x.f32()[i] = std::max(x.f32()[i], 0.0f);
  q->forward(x);
  return q->encode(x);
}

}  // namespace

TEST_CASE("a layer of codes is the layer of their decoded values, to the bit") {
  const QuantSpec weights{.method = "lsq", .bits = 3, .per_channel = true};
  Conv2d conv(
      {.in_channels = 3, .out_channels = 5, .padding = 1, .bias = true, .weight_quant = weights, .name = "conv"});
  Linear fc({.in_features = 12, .out_features = 4, .weight_quant = weights, .name = "fc"});
  const Codes images = some_codes({2, 6, 6, 3}), rows = some_codes({7, 12});
  CHECK(same_values(conv.forward(images), conv.forward(decode(images))));
  CHECK(same_values(fc.forward(rows), fc.forward(decode(rows))));
  CHECK_THROWS_WITH_AS(fc.forward(some_codes({7, 11})), doctest::Contains("Linear fc: input must be {N,12}"),
                       std::invalid_argument);
}

TEST_CASE("what the input's quantizer encodes is what the layer takes, and that quantizer is not asked again") {
  const QuantSpec spec{.method = "lsq", .bits = 4, .is_signed = false};
  Linear fc({.in_features = 12, .out_features = 4, .weight_quant = spec, .input_quant = spec, .name = "fc"});
  const Tensor x = decode(some_codes({7, 12}));
  const Tensor expected = fc.forward(x);
  const Codes codes = fc.input_quantizer()->encode(x);
  CHECK(same_values(fc.forward(codes), expected));
  fc.input_quantizer()->step().fill(1000);  // of the layer, no longer of the codes
  CHECK(same_values(fc.forward({codes.values, {.range = codes.grid.range, .step = Tensor::full({1}, 0.25f)}}), [&] {
    fc.input_quantizer()->enable(false);
    return fc.forward(decode({codes.values, {.range = codes.grid.range, .step = Tensor::full({1}, 0.25f)}}));
  }()));
}
