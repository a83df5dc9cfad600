// Average pooling and the loss by their definitions; no maximum pooling.
#include <algorithm>
#include <cmath>

#include "engine/backend/cuda/cuda_backend.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cuda {
namespace {

/// Calls each(input index, output index, pixels under the window) for every pixel that an output sees.
template <class Each>
void each_under_window(const PoolGeometry& g, Each&& each) {
  for (int64_t y = 0; y < g.batch * g.out_h * g.out_w * g.channels; ++y) {
    const int64_t c = y % g.channels, ow = y / g.channels % g.out_w, oh = y / (g.channels * g.out_w) % g.out_h;
    const int64_t n = y / (g.channels * g.out_w * g.out_h);
    const int64_t h0 = std::max<int64_t>(0, oh * g.stride - g.pad), w0 = std::max<int64_t>(0, ow * g.stride - g.pad);
    const int64_t h1 = std::min(g.in_h, oh * g.stride - g.pad + g.kernel);
    const int64_t w1 = std::min(g.in_w, ow * g.stride - g.pad + g.kernel);
    for (int64_t h = h0; h < h1; ++h) {
      for (int64_t w = w0; w < w1; ++w) {
        each(((n * g.in_h + h) * g.in_w + w) * g.channels + c, y, (h1 - h0) * (w1 - w0));
      }
    }
  }
}

}  // namespace

void CudaBackend::avg_pool(const PoolGeometry& g, ConstView x, View y) {
  stream_->state().later([=] {
    std::fill_n(floats(y), y.size, 0.0f);
    each_under_window(g, [&](int64_t in, int64_t out, int64_t count) {
      floats(y)[out] += floats(x)[in] / static_cast<float>(count);
    });
  });
}

void CudaBackend::avg_pool_grad(const PoolGeometry& g, ConstView dy, View dx) {
  stream_->state().later([=] {
    std::fill_n(floats(dx), dx.size, 0.0f);
    each_under_window(g, [&](int64_t in, int64_t out, int64_t count) {
      floats(dx)[in] += floats(dy)[out] / static_cast<float>(count);
    });
  });
}

void CudaBackend::softmax_cross_entropy(const CrossEntropyArgs& a, View loss, View dlogits) {
  stream_->state().later([=] {
    const int64_t rows = a.labels.size, classes = a.logits.size / rows;
    const double smoothing = double{a.smoothing};
    double total = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const float* const row = floats(a.logits) + r * classes;
      const double most = double{*std::max_element(row, row + classes)};
      double sum = 0;
      for (int64_t j = 0; j < classes; ++j) sum += std::exp(double{row[j]} - most);
      for (int64_t j = 0; j < classes; ++j) {
        const bool label = j == static_cast<const int32_t*>(a.labels.data)[r];
        const double log_share = double{row[j]} - most - std::log(sum);
        const double target = (label ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
        total -= target * log_share;
        floats(dlogits)[r * classes + j] =
            static_cast<float>((std::exp(log_share) - target) / static_cast<double>(rows));
      }
    }
    *floats(loss) = static_cast<float>(total / static_cast<double>(rows));
  });
}

void CudaBackend::count_correct(const CrossEntropyArgs& a, int64_t top, View hits) {
  stream_->state().later([=] {
    const int64_t rows = a.labels.size, classes = a.logits.size / rows;
    int64_t& count = *static_cast<int64_t*>(hits.data) = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const float* const row = floats(a.logits) + r * classes;
      const int64_t label = static_cast<const int32_t*>(a.labels.data)[r];
      int64_t others = 0;  // that are not behind the label
      for (int64_t j = 0; j < classes; ++j)
        others += row[j] < row[label] || (row[j] == row[label] && j >= label) ? 0 : 1;
      count += others < std::min(top, classes) ? 1 : 0;
    }
  });
}

}  // namespace ntq::cuda
