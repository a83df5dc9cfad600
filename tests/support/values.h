#pragma once
// Comparing tensors with lists of expected values.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "engine/tensor.h"

namespace ntq::test {

/// Every element within `tolerance` of the expected one.
inline void check_close(const Tensor& found, const std::vector<double>& expected, double tolerance = 1e-6) {
  REQUIRE(found.defined());
  REQUIRE(found.numel() == static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(static_cast<double>(found.f32()[i]) - expected[i]) <= tolerance);
  }
}

/// Equal to the bit.
inline bool same_values(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.to_vector() == b.to_vector();
}

}  // namespace ntq::test
