// Values that no training leaves behind.
#include "train/check_values.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/check.h"
#include "tests/support/text.h"

using namespace ntq;
using ntq::test::contains;

namespace {

/// A quantizer's step after `calls` training forwards, beside a weight and a variance.
NamedTensors state(float step, int64_t calls, float variance = 1, float weight = 1) {
  Tensor count = Tensor::zeros({1}, DType::i64);
  *count.data<int64_t>() = calls;
  return {{"conv1.weight", Tensor::from({2}, {0, weight})},
          {"conv1.weight_quant.step", Tensor::from({1}, {step})},
          {"conv1.weight_quant.calls", count},
          {"bn1.running_var", Tensor::from({1}, {variance})}};
}

std::string error(const NamedTensors& tensors) {
  return test::error_of<CheckpointError>([&] { check_values(tensors, "last.bin"); });
}

}  // namespace

TEST_CASE("steps: what no training leaves is refused by name and value") {
  CHECK(error(state(0.1f, 5)).empty());
  CHECK(error(state(0, 0)).empty());  // the first batch will set it
  CHECK(contains(error(state(0, 1)),
                 "last.bin: tensor 'conv1.weight_quant.step': expected a finite quantizer step above 0, found 0"));
  for (const int64_t calls : {0, 3}) {
    CHECK(contains(error(state(-0.5f, calls)), "conv1.weight_quant.step': expected a finite quantizer step"));
    CHECK(contains(error(state(-0.5f, calls)), "found -0.5"));
    CHECK(contains(error(state(NAN, calls)), "found nan"));
    CHECK(contains(error(state(INFINITY, calls)), "found inf"));
  }
}

TEST_CASE("other values: finite, and no variance below 0") {
  CHECK(contains(error(state(0.1f, 5, 1, NAN)), "'conv1.weight': expected finite numbers, found nan at element 1"));
  CHECK(contains(error(state(0.1f, 5, -1)), "'bn1.running_var': expected a finite variance of 0 or more, found -1"));
  CHECK(error(state(0.1f, 5, 0)).empty());
  CHECK_THROWS_AS(check_finite({{"a", Tensor::from({1}, {-INFINITY})}}, "x", "optim."), CheckpointError);
}
