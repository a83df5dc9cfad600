#pragma once
// A convolution with both gradients on one backend, and its distance from the definition.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/tensor.h"
#include "tests/support/reference_conv.h"

namespace ntq::test {

/// The largest difference, as a share of the largest expected value.
inline double worst_error(const Tensor& found, const std::vector<double>& expected) {
  double worst = 0, largest = 1e-12;
  for (size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(found.f32()[i]) - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return worst / largest;
}

/// Images of size x (size + 1).
inline ConvGeometry geometry(int64_t n, int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                             int64_t pad) {
  ConvGeometry g{.batch = n, .in_h = size, .in_w = size + 1, .in_c = in};
  g.out_c = out;
  g.kernel_h = g.kernel_w = kernel;
  g.stride = stride;
  g.pad = pad;
  g.out_h = (g.in_h + 2 * pad - kernel) / stride + 1;
  g.out_w = (g.in_w + 2 * pad - kernel) / stride + 1;
  return g;
}

inline bool goes_by_winograd(const ConvGeometry& g) {
  return cpu::plan_conv(g, cpu::ConvPass::forward, {}, 16).algorithm == cpu::ConvAlgorithm::winograd;
}

struct ConvRun {
  Tensor y, dx, dw;
};

inline ConvRun run(Backend& backend, const ConvGeometry& g, const Tensor& x, const Tensor& w, const Tensor& dy) {
  ConvRun r{Tensor::full(dy.shape(), -7), Tensor::full(x.shape(), -7), Tensor::full(w.shape(), -7)};
  backend.conv2d(g, x.view(), w.view(), r.y.view());
  backend.conv2d_grad_input(g, dy.view(), w.view(), r.dx.view());
  backend.conv2d_grad_weight(g, dy.view(), x.view(), r.dw.view());
  return r;
}

}  // namespace ntq::test
