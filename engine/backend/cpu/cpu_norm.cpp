// Batch norm on the CPU. Rows are cut into chunks by the sizes alone; partial results are joined in their order.
#include <algorithm>
#include <vector>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq::cpu {
namespace {

/// Rows of a chunk: about 64 KB of float32.
int64_t chunk_rows(int64_t channels) { return std::max<int64_t>(8, 16384 / std::max<int64_t>(channels, 1)); }

}  // namespace

void CpuBackend::batch_norm_stats(const float* x, int64_t rows, int64_t channels, float* mean, float* var) {
  const int64_t step = chunk_rows(channels), chunks = (rows + step - 1) / step;
  Scratch means(*this, chunks * channels), m2s(*this, chunks * channels);
  parallel_for(chunks, 2 * step * channels, [&](int64_t i) {
    k_.norm_chunk(x + i * step * channels, std::min(step, rows - i * step), channels, means.data() + i * channels,
                  m2s.data() + i * channels);
  });
  // Joined pairwise in order (Chan, Golub & LeVeque 1979, Eq. 2.1).
  for (int64_t c = 0; c < channels; ++c) {
    double count = 0, average = 0, m2 = 0;
    for (int64_t i = 0; i < chunks; ++i) {
      const double n = static_cast<double>(std::min(step, rows - i * step));
      const double delta = static_cast<double>(means.data()[i * channels + c]) - average;
      average += delta * n / (count + n);
      m2 += static_cast<double>(m2s.data()[i * channels + c]) + delta * delta * count * n / (count + n);
      count += n;
    }
    mean[c] = static_cast<float>(average);
    var[c] = static_cast<float>(m2 / count);
  }
}

void CpuBackend::batch_norm_apply(const float* x, const float* mean, const float* inv_std, const float* gamma,
                                  const float* beta, const float* residual, bool relu, int64_t rows, int64_t channels,
                                  float* y) {
  const NormArgs a{x, nullptr, nullptr, mean, inv_std, gamma, beta, residual, relu, channels};
  parallel_ranges(rows, chunk_rows(channels), channels, [&](int64_t b, int64_t e) { k_.norm_apply(a, b, e, y); });
}

void CpuBackend::norm_grad(const NormArgs& args, bool frozen, int64_t rows, float* dx, float* dgamma, float* dbeta,
                           float* d_residual) {
  const int64_t channels = args.channels, step = chunk_rows(channels), chunks = (rows + step - 1) / step;
  Scratch sums(*this, chunks * channels), sums_x(*this, chunks * channels);
  parallel_for(chunks, 2 * step * channels, [&](int64_t i) {
    k_.norm_grad_sums(args, i * step, std::min(rows, (i + 1) * step), sums.data() + i * channels,
                      sums_x.data() + i * channels, d_residual);
  });
  std::vector<float> mean_dy(static_cast<size_t>(channels)), mean_dy_x(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    double s = 0, q = 0;
    for (int64_t i = 0; i < chunks; ++i) {
      s += static_cast<double>(sums.data()[i * channels + c]);
      q += static_cast<double>(sums_x.data()[i * channels + c]);
    }
    dbeta[c] = static_cast<float>(s);
    dgamma[c] = static_cast<float>(q);
    if (frozen) continue;  // constant statistics: the means drop out
    mean_dy[static_cast<size_t>(c)] = static_cast<float>(s / static_cast<double>(rows));
    mean_dy_x[static_cast<size_t>(c)] = static_cast<float>(q / static_cast<double>(rows));
  }
  parallel_ranges(rows, step, 2 * channels,
                  [&](int64_t b, int64_t e) { k_.norm_grad_apply(args, b, e, mean_dy.data(), mean_dy_x.data(), dx); });
}

void CpuBackend::batch_norm_grad(const float* x, const float* y, const float* dy, const float* mean,
                                 const float* inv_std, const float* gamma, int64_t rows, int64_t channels, float* dx,
                                 float* dgamma, float* dbeta, float* d_residual) {
  norm_grad({x, y, dy, mean, inv_std, gamma, nullptr, nullptr, false, channels}, false, rows, dx, dgamma, dbeta,
            d_residual);
}

void CpuBackend::batch_norm_grad_frozen(const float* x, const float* y, const float* dy, const float* mean,
                                        const float* inv_std, const float* gamma, int64_t rows, int64_t channels,
                                        float* dx, float* dgamma, float* dbeta, float* d_residual) {
  norm_grad({x, y, dy, mean, inv_std, gamma, nullptr, nullptr, false, channels}, true, rows, dx, dgamma, dbeta,
            d_residual);
}

}  // namespace ntq::cpu
