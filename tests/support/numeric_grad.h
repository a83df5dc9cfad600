#pragma once
// Gradients of backward() against central differences.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "engine/autograd.h"
#include "engine/module.h"
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"

namespace ntq::test {

/// `n` values in [-1, 1] without pattern; the same for the same `seed`.
inline Tensor some_values(const Shape& shape, uint32_t seed = 1) {
  Tensor out = Tensor::empty(shape);
  uint32_t state = seed * 2654435761u + 12345u;
  std::generate_n(out.f32(), out.numel(), [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  });
  return out;
}

/// sum(y * fixed weights), {1}: a loss that tells every output apart.
inline Tensor probe_loss(const Tensor& y) { return sum(mul(y, some_values(y.shape(), 77))); }

/// Largest |analytic - numeric| over `x`'s elements, divided by the largest gradient. `loss` builds the graph anew from
/// `x`'s current values and must return the same value for the same values.
inline double numeric_grad_error(const std::function<Tensor()>& loss, Tensor x, float step = 1e-2f) {
  const bool required = x.requires_grad();
  x.set_requires_grad(true);
  x.zero_grad();
  loss().backward();
  const std::vector<float> analytic = x.grad().to_vector();
  x.zero_grad();
  x.set_requires_grad(required);

  const NoGrad no_grad;
  double worst = 0, largest = 1e-6;
  for (int64_t i = 0; i < x.numel(); ++i) {
    float& value = x.f32()[i];
    const float before = value;
    value = before + step;
    const double up = static_cast<double>(loss().item());
    value = before - step;
    const double down = static_cast<double>(loss().item());
    value = before;
    const double numeric = (up - down) / (2.0 * static_cast<double>(step));
    worst = std::max(worst, std::abs(numeric - static_cast<double>(analytic[static_cast<size_t>(i)])));
    largest = std::max(largest, std::abs(numeric));
  }
  return worst / largest;
}

/// That the error is below `most` for an input and for every parameter of `module`.
inline void check_gradients(const std::function<Tensor()>& loss, const Tensor& x, const Module& module, double most,
                            float step = 1e-2f) {
  CHECK(numeric_grad_error(loss, x, step) < most);
  for (const auto& entry : module.named_parameters()) {
    CAPTURE(entry.first);
    CHECK(numeric_grad_error(loss, entry.second, step) < most);
  }
}

}  // namespace ntq::test
