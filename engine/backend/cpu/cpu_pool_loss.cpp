// Pooling and softmax on the CPU: small next to the convolutions, so plain loops per image and per row.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/in_float32.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/seen_by.h"
#include "engine/backend/cpu/stored.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

int64_t input_size(const PoolGeometry& g) { return g.batch * g.in_h * g.in_w * g.channels; }
int64_t output_size(const PoolGeometry& g) { return g.batch * g.out_h * g.out_w * g.channels; }

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

void CpuBackend::max_pool(const PoolGeometry& g, ConstView input, View output, View indices) {
  with_stored(k_, output.type, [&]<class T>(const StoredKernels<T>& k) {
    const T* const x = values<T>(input, input_size(g));
    T* const y = values<T>(output, output_size(g));
    int32_t* const index = values<int32_t>(indices, output_size(g));
    each_window(g, [&](int64_t n, int64_t out, const Window& w) {
      const PixelBlock window{(n * g.in_h + w.h0) * g.in_w + w.w0, w.h1 - w.h0, w.w1 - w.w0, g.in_w};
      k.max_window(x, window, g.channels, y + out * g.channels, index + out * g.channels);
    });
  });
}

void CpuBackend::max_pool_grad(const PoolGeometry& g, ConstView d_output, ConstView indices, View d_input) {
  with_stored(k_, d_input.type, [&]<class T>(const StoredKernels<T>& k) {
    const T* const dy = values<T>(d_output, output_size(g));
    const int32_t* const index = values<int32_t>(indices, output_size(g));
    T* const dx = values<T>(d_input, input_size(g));
    parallel_for(g.batch, [&](int64_t n) {
      for (int64_t h = 0; h < g.in_h; ++h) {
        const Places rows = seen_by({g.kernel, g.stride, g.pad, g.out_h}, {h, h + 1});
        for (int64_t w = 0; w < g.in_w; ++w) {
          const Places columns = seen_by({g.kernel, g.stride, g.pad, g.out_w}, {w, w + 1});
          const PixelBlock windows{(n * g.out_h + rows.begin) * g.out_w + columns.begin, rows.end - rows.begin,
                                   columns.end - columns.begin, g.out_w};
          const int64_t pixel = (n * g.in_h + h) * g.in_w + w;
          k.max_window_grad(dy, index, windows, pixel, g.channels, dx + pixel * g.channels);
        }
      }
    });
  });
}

void CpuBackend::avg_pool(const PoolGeometry& g, ConstView input, View output) {
  InFloat32 wide(*this);
  const float* const x = wide.in(input, input_size(g));
  float* const y = wide.out(output, output_size(g));
  each_window(g, [&](int64_t n, int64_t out, const Window& w) {
    float* to = y + out * g.channels;
    std::fill(to, to + g.channels, 0.0f);
    for (int64_t h = w.h0; h < w.h1; ++h) {
      for (int64_t v = w.w0; v < w.w1; ++v)
        k_.f32.axpy(1.0f, x + ((n * g.in_h + h) * g.in_w + v) * g.channels, to, g.channels);
    }
    k_.scale(to, inverse_count(w), to, g.channels);
  });
  wide.finish();
}

void CpuBackend::avg_pool_grad(const PoolGeometry& g, ConstView d_output, View d_input) {
  InFloat32 wide(*this);
  const float* const dy = wide.in(d_output, output_size(g));
  float* const dx = wide.out(d_input, input_size(g));
  fill(0.0f, view_of(dx, input_size(g)));
  each_window(g, [&](int64_t n, int64_t out, const Window& w) {
    for (int64_t h = w.h0; h < w.h1; ++h) {
      for (int64_t v = w.w0; v < w.w1; ++v)
        k_.f32.axpy(inverse_count(w), dy + out * g.channels, dx + ((n * g.in_h + h) * g.in_w + v) * g.channels,
                    g.channels);
    }
  });
  wide.finish();
}

void CpuBackend::softmax_cross_entropy(const CrossEntropyArgs& args, View loss, View d_logits) {
  const int64_t rows = args.labels.size, classes = args.logits.size / rows;
  const float* const logits = values(args.logits, rows * classes);
  const int32_t* const labels = values<int32_t>(args.labels, rows);
  float* const dlogits = values(d_logits, rows * classes);
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
      const double log_total = std::log(total) + top, s = static_cast<double>(args.smoothing);
      losses[static_cast<size_t>(r)] = log_total - (1 - s) * static_cast<double>(z[labels[r]]) - s * mean;
      for (int64_t c = 0; c < classes; ++c) {
        const double target = (c == labels[r] ? 1 - s : 0.0) + s / static_cast<double>(classes);
        const double p = std::exp(static_cast<double>(z[c]) - log_total);
        dlogits[r * classes + c] = static_cast<float>((p - target) / static_cast<double>(rows));
      }
    }
  });
  double total = 0;
  for (const double one : losses) total += one;
  put_number(total / static_cast<double>(rows), loss);
}

void CpuBackend::count_correct(const CrossEntropyArgs& args, int64_t top, View hits) {
  const int64_t rows = args.labels.size, classes = args.logits.size / rows;
  const float* row = values(args.logits, rows * classes);
  const int32_t* label = values<int32_t>(args.labels, rows);
  int64_t count = 0;
  for (int64_t i = 0; i < rows; ++i, row += classes, ++label) {
    const float own = row[*label];
    int64_t above = 0;
    for (int64_t j = 0; j < classes; ++j) {
      // Written so that a NaN on either side counts against the label.
      const bool below = row[j] < own || (row[j] == own && j >= *label);
      above += below ? 0 : 1;
    }
    count += above < std::min(top, classes) ? 1 : 0;
  }
  *values<int64_t>(hits, 1) = count;
}

}  // namespace ntq::cpu
