// Batch norm on the CPU. Rows are cut into chunks by the sizes alone; partial results are joined in their order.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/ceil_div.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/stored.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

/// Rows of a chunk: about 64 KB of float32.
int64_t chunk_rows(int64_t channels) { return std::max<int64_t>(8, 16384 / std::max<int64_t>(channels, 1)); }

template <class T>
NormInputs<T> inputs_of(const NormArgs& a, int64_t size) {
  const int64_t channels = a.gamma.size;
  return {values<T>(a.x, size),
          values<T>(a.y, size),
          values<T>(a.dy, size),
          values<T>(a.dy_codes, size),
          values<T>(a.residual, size),
          values(a.mean, channels),
          values(a.inv_std, channels),
          values(a.gamma, channels),
          values(a.beta, channels),
          a.relu,
          channels};
}

/// Sums over runs of kLaneRun elements, kLaneSums each, as chunked_sum() joins them where rows end with the runs.
double joined(const float* sums, int64_t count) {
  constexpr int64_t kTogether = kGrain / kLaneRun * kLaneSums;
  double total = 0;
  for (int64_t i = 0; i < count; i += kTogether) {
    double part = 0;
    for (int64_t j = i; j < std::min(count, i + kTogether); ++j) part += static_cast<double>(sums[j]);
    total += part;
  }
  return total;
}

/// Runs join(begin, end) over channels, of which `chunks` chunks of rows have values.
void join_channels(int64_t channels, int64_t chunks, const std::function<void(int64_t, int64_t)>& join) {
  parallel_ranges(channels, 16, 16 * chunks, join);
}

/// The gradient of what `quantizer` gives (null: of the norm's own values); returns that of its step, before scaling.
template <class T>
double norm_grad(Backend& backend, const Kernels& kernels, const StoredKernels<T>& k, const NormArgs& args,
                 const UniformSteps* quantizer, const NormGrads& grads) {
  NormInputs<T> a = inputs_of<T>(args, grads.dx.size);
  const int64_t channels = a.channels, rows = grads.dx.size / channels;
  const int64_t chunk = chunk_rows(channels), chunks = ceil_div(rows, chunk);
  T *const dx = values<T>(grads.dx, rows * channels), *const residual = values<T>(grads.d_residual, rows * channels);
  T* const masked = residual ? residual : a.dy_codes ? dx : nullptr;  // dy, for the second pass
  float *const dgamma = values(grads.dgamma, channels), *const dbeta = values(grads.dbeta, channels);
  const int64_t step_rows = std::max<int64_t>(1, kLaneRun / channels),
                step_sums = ceil_div(chunk, step_rows) * kLaneSums;
  const Scratch sums(backend, 4 * chunks * channels), of_step(backend, quantizer ? chunks * step_sums : 0);
  if (quantizer) std::fill(of_step.data(), of_step.data() + chunks * step_sums, 0.0f);
  // What the first pass finds masked, it tells the second: in a gradient that is stored, or by a bit for each value.
  const bool bits = !masked && (a.y || a.relu || quantizer);
  const Scratch passed_room(backend, bits ? 2 * rows * ceil_div(channels, kernels.width) : 0, DType::u8);
  uint16_t* const passed = bits ? static_cast<uint16_t*>(passed_room.view().data) : nullptr;
  parallel_for(chunks, 2 * chunk * channels, [&](int64_t i) {
    k.norm_grad_sums(a, quantizer, i * chunk, std::min(rows, (i + 1) * chunk),
                     {sums.data() + 4 * i * channels, of_step.data() + i * step_sums, step_rows, passed}, masked);
  });
  std::vector<double> totals(static_cast<size_t>(2 * channels));
  join_channels(2 * channels, chunks, [&](int64_t begin, int64_t end) {
    kernels.join_sums(sums.data(), chunks, 4 * channels, begin, end, totals.data());
  });
  std::vector<float> means(totals.size());  // constant statistics: they drop out
  for (size_t c = 0; c < totals.size() && !args.frozen; ++c)
    means[c] = static_cast<float>(totals[c] / static_cast<double>(rows));
  for (int64_t c = 0; c < channels; ++c) {
    dbeta[c] = static_cast<float>(totals[static_cast<size_t>(c)]);
    dgamma[c] = static_cast<float>(totals[static_cast<size_t>(channels + c)]);
  }
  if (masked) a.dy = masked;
  // From the end back, which the first pass has left in the cache.
  parallel_for(chunks, 2 * chunk * channels, [&](int64_t i) {
    const int64_t begin = (chunks - 1 - i) * chunk;
    k.norm_grad_apply(a, passed, begin, std::min(rows, begin + chunk), means.data(), means.data() + channels, dx);
  });
  return quantizer ? joined(of_step.data(), of_step.view().size) : 0;
}

}  // namespace

void CpuBackend::batch_norm_stats(ConstView x, const NormStats& stats) {
  const int64_t channels = stats.mean.size, rows = x.size / channels;
  const int64_t step = chunk_rows(channels), chunks = ceil_div(rows, step);
  Scratch means(*this, chunks * channels), m2s(*this, chunks * channels), var(*this, channels);
  with_stored(k_, x.type, [&]<class T>(const StoredKernels<T>& k) {
    const T* const from = values<T>(x, rows * channels);
    parallel_for(chunks, 2 * step * channels, [&](int64_t i) {
      k.norm_chunk(from + i * step * channels, std::min(step, rows - i * step), channels, means.data() + i * channels,
                   m2s.data() + i * channels);
    });
  });
  float *const mean = values(stats.mean, channels), *const running_mean = values(stats.running_mean, channels);
  float* const running_var = values(stats.running_var, channels);
  const float keep = 1 - stats.momentum;
  const auto unbias = static_cast<float>(static_cast<double>(rows) / static_cast<double>(rows - 1));
  join_channels(channels, 4 * chunks, [&](int64_t begin, int64_t end) {
    k_.join_moments({rows, step, channels}, means.data(), m2s.data(), begin, end, mean, var.data());
  });
  for (int64_t c = 0; c < channels; ++c) {
    running_mean[c] = keep * running_mean[c] + stats.momentum * mean[c];
    running_var[c] = keep * running_var[c] + stats.momentum * (var.data()[c] * unbias);
  }
  inverse_std(var.view(), stats.eps, stats.inv_std);
}

void CpuBackend::inverse_std(ConstView var, float eps, View y) {
  const float* const from = values(var, y.size);
  float* const to = values(y, y.size);
  for (int64_t c = 0; c < y.size; ++c)
    to[c] = std::isfinite(from[c]) ? 1.0f / std::sqrt(from[c] + eps) : std::numeric_limits<float>::quiet_NaN();
}

void CpuBackend::batch_norm_apply(const NormArgs& args, View y) {
  with_stored(k_, args.x.type, [&]<class T>(const StoredKernels<T>& k) {
    const NormInputs<T> a = inputs_of<T>(args, y.size);
    T* const to = values<T>(y, y.size);
    parallel_ranges(y.size / a.channels, chunk_rows(a.channels), a.channels,
                    [&](int64_t b, int64_t e) { k.norm_apply(a, b, e, to); });
  });
}

void CpuBackend::batch_norm_grad(const NormArgs& args, const NormGrads& grads) {
  with_stored(k_, args.x.type,
              [&]<class T>(const StoredKernels<T>& k) { norm_grad(*this, k_, k, args, nullptr, grads); });
}

void CpuBackend::batch_norm_codes(const NormArgs& args, QuantRange range, ConstView step, View codes, View checked) {
  const UniformSteps steps{*values(step, 1), range};
  uint8_t* const to = bytes(codes, codes.size);
  with_stored(k_, args.x.type, [&]<class T>(const StoredKernels<T>& k) {
    const NormInputs<T> a = inputs_of<T>(args, codes.size);
    const int64_t rows = codes.size / a.channels, chunk = chunk_rows(a.channels);
    std::vector<float> checks(static_cast<size_t>(ceil_div(rows, chunk)));
    parallel_ranges(rows, chunk, 2 * a.channels, [&](int64_t b, int64_t e) {
      checks[static_cast<size_t>(b / chunk)] = k.norm_codes(a, steps, b, e, to);
    });
    put_checked_step(steps.step, checks, checked);
  });
}

void CpuBackend::batch_norm_codes_grad(const NormArgs& args, const QuantizeArgs& quantizer, ConstView step,
                                       const NormGrads& grads, View dstep) {
  const UniformSteps steps{*values(step, 1), quantizer.range};
  with_stored(k_, args.x.type, [&]<class T>(const StoredKernels<T>& k) {
    *values(dstep, 1) = static_cast<float>(quantizer.grad_scale * norm_grad(*this, k_, k, args, &steps, grads));
  });
}

}  // namespace ntq::cpu
