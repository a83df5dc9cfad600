// The numbers behind a key, pinned: computed outside of the project by an implementation of Philox4x32-10 and of the
// Box-Muller transform in Python, in integers and float64, which gives the published vectors too.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/random.h"
#include "engine/tensor.h"

using namespace ntq;

namespace {

constexpr RandomKey kKey{.seed = 0x123456789abcdef0, .stream = 0x9e3779b9, .step = 7};

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
  // Step 2, x = 1/2: code 0 and error 1/2 everywhere, so the noise is 1/2 exp(-3/2) sqrt(1/2) eps.
  const Tensor x = Tensor::full({1004}, 0.5f);
  const std::pair<int64_t, double> expected[] = {
      {0, 0.1310736467893489},     {1, -0.07441124696862425},   {2, 0.007251198453247949},
      {3, 0.04886671313358822},    {4, 0.0035262160996662826},  {5, 0.05691356278496324},
      {255, -0.136304869002952},   {256, -0.06824665678516065}, {257, -0.015800599326838076},
      {1000, 0.08147341424763824}, {1003, -0.07426213501859204}};
  for (const std::string& isa : cpu::available_isas()) {
    CAPTURE(isa);
    Tensor y = Tensor::empty({1004});
    const Tensor step = Tensor::full({1}, 2);
    const QuantizeArgs args{.range = {-2, 1}, .noise = {.c = 0.5f, .k = 3, .key = kKey}};
    cpu::make_cpu_backend(isa)->quantize(args, x.view(), step.view(), y.view());
    for (const auto& one : expected) {
      CAPTURE(one.first);
      CHECK(std::abs(static_cast<double>(y.f32()[one.first]) - one.second) < 1e-6 * std::abs(one.second) + 3e-8);
    }
  }
}
