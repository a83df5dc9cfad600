#include "layers/layer_quant.h"

#include <doctest/doctest.h>

#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using doctest::Contains;
using ntq::test::same_values;
using ntq::test::some_values;

TEST_CASE("layer_quant: full precision needs no quantizer") {
  CHECK(make_weight_quantizer({.bits = 32}, "conv1") == nullptr);
  CHECK(make_input_quantizer({.bits = 32}, "conv1") == nullptr);
  const Tensor x = some_values({4});
  CHECK(same_values(apply_quantizer(nullptr, x), x));
}

TEST_CASE("layer_quant: quantizers are named behind their layer, unless the spec has a name") {
  const QuantSpec spec{.method = "lsq", .bits = 3};
  CHECK(make_weight_quantizer(spec, "layer1.0.conv1")->spec().name == "layer1.0.conv1.weight_quant");
  CHECK(make_input_quantizer(spec, "layer1.0.conv1")->spec().name == "layer1.0.conv1.input_quant");
  CHECK(make_weight_quantizer(spec, "")->spec().name == "weight_quant");
  CHECK(make_input_quantizer(spec, "")->spec().name == "input_quant");
  QuantSpec named = spec;
  named.name = "shared";
  CHECK(make_weight_quantizer(named, "conv1")->spec().name == "shared");
}

TEST_CASE("layer_quant: each knows what it quantizes, whatever the spec says; all else is kept") {
  QuantSpec spec{.method = "ntq", .bits = 5, .is_signed = false, .is_weight = false, .per_channel = true, .seed = 9};
  spec.settings = {{"noise", 0.1}};
  const auto weight = make_weight_quantizer(spec, "fc", {3, 4});
  CHECK(weight->spec().is_weight);
  spec.is_weight = true;
  const auto input = make_input_quantizer(spec, "fc");
  CHECK_FALSE(input->spec().is_weight);
  CHECK(weight->step().shape() == Shape{3});
  CHECK(input->step().shape() == Shape{1});
  for (const auto& q : {weight, input}) {
    CHECK(q->spec().bits == 5);
    CHECK_FALSE(q->spec().is_signed);
    CHECK(q->spec().seed == 9);
    CHECK(q->range().low == 0);
    CHECK(q->range().high == 31);
  }
  // Noise is for weights: the input's next draw is its first again.
  const Tensor x = Tensor::full({64}, 0.3f), first = input->forward(x);
  input->set_training_step(1);
  CHECK(same_values(first, input->forward(x)));
}

TEST_CASE("layer_quant: values and gradient by hand, with a step of 1/2") {
  const auto q = make_weight_quantizer({.method = "lsq", .bits = 2}, "conv1");
  q->step().fill(0.5f);
  Tensor w = Tensor::from({5}, {-3, -0.6f, 0.1f, 0.3f, 0.9f}).set_requires_grad(true);
  const Tensor y = q->forward(w);  // codes -2, -1, 0, 1, 1 of [-2, 1]
  CHECK(y.to_vector() == std::vector<float>{-1, -0.5f, 0, 0.5f, 0.5f});
  sum(y).backward();
  CHECK(w.grad().to_vector() == std::vector<float>{0, 1, 1, 1, 0});  // nothing where it was clamped
}

TEST_CASE("layer_quant: an error names the layer") {
  CHECK_THROWS_WITH_AS(make_weight_quantizer({.method = "lsq", .bits = 9}, "layer2.1.conv2"),
                       Contains("layer2.1.conv2.weight_quant: bits must be 2 to 8"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(make_input_quantizer({.method = "none", .bits = 4}, "fc"),
                       Contains("fc.input_quant: no quantization method 'none'"), std::invalid_argument);
}
