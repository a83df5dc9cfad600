#pragma once
// Convolution and its gradients as the definition has them, in float64: the oracle of the fast kernels.
#include <vector>

#include "engine/backend/args.h"

namespace ntq::test {

struct ConvReference {
  std::vector<double> y, dx, dw;
};

inline ConvReference reference_conv(const ConvGeometry& g, const float* x, const float* w, const float* dy) {
  ConvReference r;
  r.y.resize(static_cast<size_t>(g.batch * g.out_h * g.out_w * g.out_c));
  r.dx.resize(static_cast<size_t>(g.batch * g.in_h * g.in_w * g.in_c));
  r.dw.resize(static_cast<size_t>(g.out_c * g.kernel_h * g.kernel_w * g.in_c));
  for (int64_t pixel = 0; pixel < g.batch * g.out_h * g.out_w; ++pixel) {
    const int64_t n = pixel / (g.out_h * g.out_w), i = pixel / g.out_w % g.out_h, j = pixel % g.out_w;
    for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
      for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
        const int64_t h = i * g.stride - g.pad + kh, v = j * g.stride - g.pad + kw;
        if (h < 0 || h >= g.in_h || v < 0 || v >= g.in_w) continue;
        for (int64_t co = 0; co < g.out_c; ++co) {
          for (int64_t ci = 0; ci < g.in_c; ++ci) {
            const auto xi = static_cast<size_t>(((n * g.in_h + h) * g.in_w + v) * g.in_c + ci);
            const auto wi = static_cast<size_t>(((co * g.kernel_h + kh) * g.kernel_w + kw) * g.in_c + ci);
            const auto yi = static_cast<size_t>(pixel * g.out_c + co);
            r.y[yi] += static_cast<double>(x[xi]) * static_cast<double>(w[wi]);
            r.dx[xi] += static_cast<double>(dy[yi]) * static_cast<double>(w[wi]);
            r.dw[wi] += static_cast<double>(dy[yi]) * static_cast<double>(x[xi]);
          }
        }
      }
    }
  }
  return r;
}

}  // namespace ntq::test
