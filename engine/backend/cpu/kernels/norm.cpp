// Batch norm: chunks of rows that stay in cache, so two passes over a chunk cost one read of memory.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

/// Runs op(first channel, lanes) for each vector of channels.
template <class Op>
inline void each_channel_vec(int64_t channels, Op op) {
  for (int64_t c = 0; c < channels; c += kWidth) op(c, channels - c < kWidth ? channels - c : int64_t{kWidth});
}

void norm_chunk(const float* x, int64_t rows, int64_t channels, float* mean, float* m2) {
  each_channel_vec(channels, [=](int64_t c, int64_t l) {
    // Four sums hide the latency of an addition.
    Vec s[4] = {};
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      for (int i = 0; i < 4; ++i) s[i] += get(x + (r + i) * channels + c, l);
    }
    for (; r < rows; ++r) s[0] += get(x + r * channels + c, l);
    const Vec average = ((s[0] + s[1]) + (s[2] + s[3])) / splat(static_cast<float>(rows));
    Vec q[4] = {};
    for (r = 0; r + 4 <= rows; r += 4) {
      for (int i = 0; i < 4; ++i) {
        const Vec d = get(x + (r + i) * channels + c, l) - average;
        q[i] += d * d;
      }
    }
    for (; r < rows; ++r) {
      const Vec d = get(x + r * channels + c, l) - average;
      q[0] += d * d;
    }
    put(mean + c, average, l);
    put(m2 + c, (q[0] + q[1]) + (q[2] + q[3]), l);
  });
}

void norm_apply(const NormInputs& a, int64_t begin, int64_t end, float* y) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t row = r * a.channels;
    each_channel_vec(a.channels, [&](int64_t c, int64_t l) {
      const Vec factor = get(a.inv_std + c, l) * get(a.gamma + c, l);
      Vec v = (get(a.x + row + c, l) - get(a.mean + c, l)) * factor + get(a.beta + c, l);
      if (a.residual) v += get(a.residual + row + c, l);
      if (a.relu) v = select(v < Vec{}, Vec{}, v);
      put(y + row + c, v, l);
    });
  }
}

inline Vec masked(const NormInputs& a, int64_t at, int64_t l) {
  const Vec dy = get(a.dy + at, l);
  return a.y ? select(get(a.y + at, l) > Vec{}, dy, Vec{}) : dy;
}

void norm_grad_sums(const NormInputs& a, int64_t begin, int64_t end, float* sum_dy, float* sum_dy_x,
                    float* d_residual) {
  each_channel_vec(a.channels, [&](int64_t c, int64_t l) {
    const Vec mean = get(a.mean + c, l);
    Vec s[2] = {}, q[2] = {};
    int64_t r = begin;
    const auto one = [&](int64_t row, int i) {
      const int64_t at = row * a.channels + c;
      const Vec g = masked(a, at, l);
      if (d_residual) put(d_residual + at, g, l);
      s[i] += g;
      q[i] += g * (get(a.x + at, l) - mean);
    };
    for (; r + 2 <= end; r += 2) {
      one(r, 0);
      one(r + 1, 1);
    }
    if (r < end) one(r, 0);
    put(sum_dy + c, s[0] + s[1], l);
    put(sum_dy_x + c, (q[0] + q[1]) * get(a.inv_std + c, l), l);
  });
}

void norm_grad_apply(const NormInputs& a, int64_t begin, int64_t end, const float* mean_dy, const float* mean_dy_x,
                     float* dx) {
  for (int64_t r = begin; r < end; ++r) {
    each_channel_vec(a.channels, [&](int64_t c, int64_t l) {
      const int64_t at = r * a.channels + c;
      const Vec inv = get(a.inv_std + c, l);
      const Vec xhat = (get(a.x + at, l) - get(a.mean + c, l)) * inv;
      const Vec g = masked(a, at, l) - get(mean_dy + c, l) - xhat * get(mean_dy_x + c, l);
      put(dx + at, g * (get(a.gamma + c, l) * inv), l);
    });
  }
}

}  // namespace

void fill_norm(Kernels& t) {
  t.norm_chunk = norm_chunk;
  t.norm_apply = norm_apply;
  t.norm_grad_sums = norm_grad_sums;
  t.norm_grad_apply = norm_grad_apply;
}

}  // namespace ntq::cpu::NTQ_ISA
