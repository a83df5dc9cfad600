// The numbers behind a key, pinned: computed outside of the project by an implementation of Philox4x32-10 and of the
// Box-Muller transform in Python, in integers and float64, which gives the published vectors too.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/random.h"
#include "tests/engine/backend_list/list.h"

using namespace ntq;
using namespace ntq::test;

namespace {

constexpr RandomKey kKey{.seed = 0x123456789abcdef0, .stream = 0x9e3779b9, .step = 7};

/// Of step 2: x = 1/2 has code 0 and error 1/2, so that its noise is c exp(-k / 2) sqrt(1/2) eps.
BackendCase quantized(const Tensor& x, const QuantizeArgs& args) {
  return {Primitive::quantize,
          "",
          {x, Tensor::from({1}, {2})},
          {output(x.numel())},
          [args](Backend& b, const Inputs& in, const Outputs& out) { b.quantize(args, in[0], in[1], out[0]); }};
}

}  // namespace

TEST_CASE("uniform numbers of a key are those of an independent implementation") {
  CHECK(random_bits(kKey, 0) == 0x2943df6b);
  CHECK(random_bits(kKey, 1) == 0xeaf66e83);
  CHECK(random_bits(kKey, 2) == 0xd26b329b);
  CHECK(random_bits(kKey, 3) == 0x39ff7a04);
  CHECK(random_bits(kKey, 1002) == 0x9fcf96d9);
  CHECK(random_bits(kKey, (uint64_t{1} << 34) + 2) == 0x438b3c50);  // a block number of more than 32 bits
  CHECK(random_unit(kKey, 0) == 2704351 * 0x1p-24f);
  CHECK(random_unit(kKey, 1003) == 11924055 * 0x1p-24f);
  CHECK(random_below(kKey, 0, 10) == 1);  // 0.1611... of 10
  CHECK(random_below(kKey, 1, 10) == 9);
}

TEST_CASE("NTQ's noise of a key is that of an independent implementation, on every instruction set") {
  const Tensor x = Tensor::full({1004}, 0.5f);
  const std::pair<int64_t, double> expected[] = {
      {0, 0.1310736467893489},     {1, -0.07441124696862425},   {2, 0.007251198453247949},
      {3, 0.04886671313358822},    {4, 0.0035262160996662826},  {5, 0.05691356278496324},
      {255, -0.136304869002952},   {256, -0.06824665678516065}, {257, -0.015800599326838076},
      {1000, 0.08147341424763824}, {1003, -0.07426213501859204}};
  each_backend(Primitive::quantize, [&](Backend& b) {
    const Tensor y = outputs_of(quantized(x, {.range = {-2, 1}, .noise = {.c = 0.5f, .k = 3, .key = kKey}}), b)[0];
    for (const auto& one : expected) {
      CAPTURE(one.first);
      CHECK(std::abs(static_cast<double>(y.f32()[one.first]) - one.second) < 1e-6 * std::abs(one.second) + 3e-8);
    }
  });
}

TEST_CASE("the noise is standard normal, tempered by each element's error") {
  const int64_t n = 200000;
  const QuantizeArgs args{.range = {-2, 1}, .noise = {.c = 0.5f, .k = 3, .key = {.seed = 9}}};
  const double scale = 0.5 * std::exp(-1.5) * std::sqrt(0.5);
  each_backend(Primitive::quantize, [&](Backend& b) {
    const Tensor y = outputs_of(quantized(Tensor::full({n}, 0.5f), args), b)[0];
    double mean = 0, square = 0, fourth = 0, neighbours = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double eps = static_cast<double>(y.f32()[i]) / scale;
      mean += eps / n;
      square += eps * eps / n;
      fourth += eps * eps * eps * eps / n;
      if (i) neighbours += eps * static_cast<double>(y.f32()[i - 1]) / scale / n;
    }
    CHECK(std::abs(mean) < 0.012);  // five deviations of the estimates
    CHECK(std::abs(square - 1) < 0.016);
    CHECK(std::abs(fourth - 3) < 0.11);
    CHECK(std::abs(neighbours) < 0.012);
  });
}

TEST_CASE("what is not finite gives no number, in a whole vector and in the rest; large numbers are clamped") {
  each_backend(Primitive::quantize, [](Backend& b) {
    for (const int64_t at : {3, 63, 98}) {
      for (const float bad : {INFINITY, -INFINITY, std::nanf("")}) {
        for (const float c : {0.0f, 0.2f}) {
          Tensor x = Tensor::full({99}, 0.25f);
          x.f32()[at] = bad;
          const Tensor y = outputs_of(quantized(x, {.range = {-8, 7}, .noise = {.c = c, .k = 50, .key = {}}}), b)[0];
          for (int64_t i = 0; i < 99; ++i) REQUIRE(std::isnan(y.f32()[i]) == (i == at));
        }
      }
    }
    const Tensor y = outputs_of(quantized(Tensor::from({2}, {3.4e38f, -3.4e38f}), {.range = {-2, 1}}), b)[0];
    CHECK(y.to_vector() == std::vector<float>{2, -4});
  });
}
