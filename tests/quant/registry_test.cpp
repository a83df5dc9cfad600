#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "quant/quantizer.h"

using namespace ntq;
using doctest::Contains;

namespace {

// Errors name the place, what was found and what is allowed.
void check_refused(const QuantSpec& spec, const char* message) {
  CHECK_THROWS_WITH_AS(make_quantizer(spec), Contains(message), std::invalid_argument);
}

}  // namespace

TEST_CASE("make_quantizer: bits 32 is no quantizer") {
  CHECK(make_quantizer({.bits = 32}) == nullptr);
  CHECK(make_quantizer({.method = "fp", .bits = 32}) == nullptr);
}

TEST_CASE("make_quantizer refuses what no method can do") {
  for (const int bits : {-1, 0, 1, 9, 16, 31, 33})
    check_refused({.bits = bits, .name = "layer1.0.conv1"}, "layer1.0.conv1: bits must be 2 to 8, or 32");
  check_refused({.method = "nqt", .bits = 4, .name = "fc"}, "fc: no quantization method 'nqt'; there are: lsq, ntq");
  check_refused({.method = "fp", .bits = 4}, "full precision is bits 32");
  for (const float c : {-0.1f, 1.0f, std::nanf("")}) check_refused({.bits = 4, .noise_c = c}, "noise c");
  for (const float k : {-1.0f, HUGE_VALF, std::nanf("")}) check_refused({.bits = 4, .noise_k = k}, "noise k");
}

TEST_CASE("quantizers name their layer when an input is wrong") {
  const auto q = make_quantizer({.bits = 4, .name = "layer1.0.conv1.weight_quant"});
  for (const Tensor& x : {Tensor(), Tensor::zeros({0, 3}), Tensor::zeros({4}, DType::i32)})
    CHECK_THROWS_WITH_AS(q->forward(x), Contains("layer1.0.conv1.weight_quant: needs a float32 tensor"),
                         std::invalid_argument);
  CHECK_THROWS_WITH_AS(q->codes(Tensor::full({4}, 1.0f)), Contains("layer1.0.conv1.weight_quant: the step is not set"),
                       std::invalid_argument);
  q->step().fill(-1.0f);
  CHECK_THROWS_WITH_AS(q->forward(Tensor::full({4}, 1.0f)), Contains("found -1"), DivergedError);
}

TEST_CASE("quantizer state: step and calls, by these names") {
  const auto q = make_quantizer({.bits = 4});
  REQUIRE(q->named_parameters().size() == 1);
  CHECK(q->named_parameters()[0].first == "step");
  REQUIRE(q->named_buffers().size() == 1);
  const auto [name, calls] = q->named_buffers()[0];
  CHECK(name == "calls");
  const Tensor x = Tensor::full({4}, 0.3f);
  q->forward(x);
  q->forward(x);
  q->eval();
  q->forward(x);
  CHECK(*calls.data<int64_t>() == 2);
}

TEST_CASE("register_quantizer: names are unique, methods from outside work") {
  const QuantizerFactory half_noise = [](QuantSpec spec) {
    spec.method = "ntq";
    spec.noise_c /= 2;
    return make_quantizer(spec);
  };
  for (const char* name : {"", "fp"})
    CHECK_THROWS_WITH_AS(register_quantizer(name, half_noise), Contains("cannot name a method"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(register_quantizer("lsq", half_noise), Contains("'lsq' is registered already"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(register_quantizer("none", nullptr), Contains("no factory"), std::invalid_argument);

  register_quantizer("half-noise", half_noise);
  const auto names = quantizer_names();
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::find(names.begin(), names.end(), "half-noise") != names.end());
  CHECK(std::find(names.begin(), names.end(), "none") == names.end());
  CHECK(make_quantizer({.method = "half-noise", .bits = 4, .noise_c = 0.4f})->spec().noise_c == 0.2f);
}
