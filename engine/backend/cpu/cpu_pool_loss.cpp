// Pooling and softmax on the CPU: small next to the convolutions, so plain loops per image and per row.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq::cpu {
namespace {

/// The part of a window that lies inside of the image.
struct Window {
  int64_t h0, h1, w0, w1;
};
Window window(const PoolGeometry& g, int64_t i, int64_t j) {
  const int64_t h = i * g.stride - g.pad, w = j * g.stride - g.pad;
  return {std::max<int64_t>(h, 0), std::min(h + g.kernel, g.in_h), std::max<int64_t>(w, 0),
          std::min(w + g.kernel, g.in_w)};
}

/// Runs op(image, output pixel, window) for every output pixel, images shared out among the threads.
template <class Op>
void each_window(const PoolGeometry& g, const Op& op) {
  parallel_for(g.batch, [&](int64_t n) {
    for (int64_t i = 0; i < g.out_h; ++i) {
      for (int64_t j = 0; j < g.out_w; ++j) op(n, (n * g.out_h + i) * g.out_w + j, window(g, i, j));
    }
  });
}

/// Pixels of an average: a kernel without padding has kernel^2, or, over one line of pixels, kernel.
float inverse_count(const Window& w) { return 1.0f / static_cast<float>((w.h1 - w.h0) * (w.w1 - w.w0)); }

}  // namespace

void CpuBackend::max_pool(const PoolGeometry& g, const float* x, float* y, int32_t* index) {
  each_window(g, [&](int64_t n, int64_t out, const Window& w) {
    for (int64_t c = 0; c < g.channels; ++c) {
      int64_t best = (n * g.in_h + w.h0) * g.in_w + w.w0;
      for (int64_t h = w.h0; h < w.h1; ++h) {
        for (int64_t v = w.w0; v < w.w1; ++v) {
          const int64_t pixel = (n * g.in_h + h) * g.in_w + v;
          const float value = x[pixel * g.channels + c];
          if (value > x[best * g.channels + c] || std::isnan(value)) best = pixel;
        }
      }
      y[out * g.channels + c] = x[best * g.channels + c];
      index[out * g.channels + c] = static_cast<int32_t>(best);
    }
  });
}

void CpuBackend::max_pool_grad(const PoolGeometry& g, const float* dy, const int32_t* index, float* dx) {
  fill(dx, 0.0f, g.batch * g.in_h * g.in_w * g.channels);
  each_window(g, [&](int64_t, int64_t out, const Window&) {
    for (int64_t c = 0; c < g.channels; ++c) {
      const int64_t at = out * g.channels + c;
      dx[int64_t{index[at]} * g.channels + c] += dy[at];
    }
  });
}

void CpuBackend::avg_pool(const PoolGeometry& g, const float* x, float* y) {
  each_window(g, [&](int64_t n, int64_t out, const Window& w) {
    float* to = y + out * g.channels;
    std::fill(to, to + g.channels, 0.0f);
    for (int64_t h = w.h0; h < w.h1; ++h) {
      for (int64_t v = w.w0; v < w.w1; ++v)
        k_.axpy(1.0f, x + ((n * g.in_h + h) * g.in_w + v) * g.channels, to, g.channels);
    }
    k_.scale(to, inverse_count(w), to, g.channels);
  });
}

void CpuBackend::avg_pool_grad(const PoolGeometry& g, const float* dy, float* dx) {
  fill(dx, 0.0f, g.batch * g.in_h * g.in_w * g.channels);
  each_window(g, [&](int64_t n, int64_t out, const Window& w) {
    for (int64_t h = w.h0; h < w.h1; ++h) {
      for (int64_t v = w.w0; v < w.w1; ++v)
        k_.axpy(inverse_count(w), dy + out * g.channels, dx + ((n * g.in_h + h) * g.in_w + v) * g.channels, g.channels);
    }
  });
}

double CpuBackend::softmax_cross_entropy(const float* logits, const int32_t* labels, int64_t rows, int64_t classes,
                                         float smoothing, float* dlogits) {
  std::vector<double> losses(static_cast<size_t>(rows));
  // Two exponentials in float64 for each class.
  parallel_ranges(rows, 64, 64 * classes, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* z = logits + r * classes;
      double top = static_cast<double>(z[0]), total = 0, mean = 0;
      for (int64_t c = 0; c < classes; ++c) {
        top = std::max(top, static_cast<double>(z[c]));
        mean += static_cast<double>(z[c]) / static_cast<double>(classes);
      }
      for (int64_t c = 0; c < classes; ++c) total += std::exp(static_cast<double>(z[c]) - top);
      const double log_total = std::log(total) + top, s = static_cast<double>(smoothing);
      losses[static_cast<size_t>(r)] = log_total - (1 - s) * static_cast<double>(z[labels[r]]) - s * mean;
      for (int64_t c = 0; c < classes; ++c) {
        const double target = (c == labels[r] ? 1 - s : 0.0) + s / static_cast<double>(classes);
        const double p = std::exp(static_cast<double>(z[c]) - log_total);
        dlogits[r * classes + c] = static_cast<float>((p - target) / static_cast<double>(rows));
      }
    }
  });
  double loss = 0;
  for (const double one : losses) loss += one;
  return loss / static_cast<double>(rows);
}

}  // namespace ntq::cpu
