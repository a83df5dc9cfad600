// Batch norm by its definition, one channel after the other.
#include <cmath>

#include "engine/backend/cuda/cuda_backend.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cuda {
namespace {

/// Every value of channel c among {rows,channels}.
template <class Each>
void each_of_channel(int64_t size, int64_t channels, int64_t c, Each&& each) {
  for (int64_t i = c; i < size; i += channels) each(i);
}

float normalised(const NormArgs& a, int64_t i, int64_t c) {
  return (floats(a.x)[i] - floats(a.mean)[c]) * floats(a.inv_std)[c];
}

float value_of(const NormArgs& a, int64_t i, int64_t c) {
  const float value = normalised(a, i, c) * floats(a.gamma)[c] + floats(a.beta)[c];
  return a.residual ? value + floats(a.residual)[i] : value;
}

bool is_masked(const NormArgs& a, int64_t i, int64_t c) {
  return a.y ? !(floats(a.y)[i] > 0.0f) : a.relu && !(value_of(a, i, c) > 0.0f);
}

void gradient_of_channel(const NormArgs& a, const NormGrads& grads, int64_t c) {
  const int64_t size = grads.dx.size, channels = a.gamma.size;
  const auto masked = [&](int64_t i) { return is_masked(a, i, c) ? 0.0f : floats(a.dy)[i]; };
  double sum = 0, sum_x = 0;
  each_of_channel(size, channels, c, [&](int64_t i) {
    sum += double{masked(i)};
    sum_x += double{masked(i)} * double{normalised(a, i, c)};
    if (grads.d_residual) floats(grads.d_residual)[i] = masked(i);
  });
  floats(grads.dbeta)[c] = static_cast<float>(sum);
  floats(grads.dgamma)[c] = static_cast<float>(sum_x);
  const double rows = static_cast<double>(size / channels);
  const double mean = a.frozen ? 0 : sum / rows, mean_x = a.frozen ? 0 : sum_x / rows;
  const double factor = double{floats(a.gamma)[c]} * double{floats(a.inv_std)[c]};
  // dx may be the memory of dy: each value is read before it is written.
  each_of_channel(size, channels, c, [&](int64_t i) {
    floats(grads.dx)[i] =
        static_cast<float>(factor * (double{masked(i)} - mean - double{normalised(a, i, c)} * mean_x));
  });
}

}  // namespace

void CudaBackend::batch_norm_stats(ConstView x, const NormStats& s) {
  stream_->state().later([=] {
    const int64_t channels = s.mean.size;
    const double rows = static_cast<double>(x.size / channels);
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0, squares = 0;
      each_of_channel(x.size, channels, c, [&](int64_t i) { sum += double{floats(x)[i]}; });
      const double mean = sum / rows;
      each_of_channel(x.size, channels, c, [&](int64_t i) { squares += std::pow(double{floats(x)[i]} - mean, 2); });
      const auto blend = [&](View running, double batch) {
        float& value = floats(running)[c];
        value = static_cast<float>((1 - double{s.momentum}) * double{value} + double{s.momentum} * batch);
      };
      blend(s.running_mean, mean);
      blend(s.running_var, squares / (rows - 1));
      floats(s.mean)[c] = static_cast<float>(mean);
      floats(s.inv_std)[c] = static_cast<float>(1 / std::sqrt(squares / rows + double{s.eps}));
    }
  });
}

void CudaBackend::batch_norm_apply(const NormArgs& a, View y) {
  stream_->state().later([=] {
    const int64_t channels = a.gamma.size;
    for (int64_t i = 0; i < y.size; ++i) {
      const int64_t c = i % channels;
      const float value = value_of(a, i, c);
      floats(y)[i] = a.relu && value < 0.0f ? 0.0f : value;
    }
  });
}

void CudaBackend::batch_norm_grad(const NormArgs& a, const NormGrads& grads) {
  stream_->state().later([=] {
    for (int64_t c = 0; c < a.gamma.size; ++c) gradient_of_channel(a, grads, c);
  });
}

}  // namespace ntq::cuda
