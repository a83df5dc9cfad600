// Batch norm, and what is fused behind it: a residual, ReLU, a quantizer. Chunks of rows that stay in cache, so two
// passes over a chunk cost one read of memory.
#include "engine/backend/cpu/kernels/each_vec.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/uniform.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

template <class T>
void norm_chunk(const T* x, int64_t rows, int64_t channels, float* mean, float* m2) {
  each_vec(channels, [=](int64_t c, int64_t l) {
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

/// Channels from c on of the row that begins at `row`.
template <class T>
inline Vec value_of(const NormInputs<T>& a, int64_t row, int64_t c, int64_t l) {
  const Vec factor = get(a.inv_std + c, l) * get(a.gamma + c, l);
  Vec v = (get(a.x + row + c, l) - get(a.mean + c, l)) * factor + get(a.beta + c, l);
  if (a.residual) v += get(a.residual + row + c, l);
  return a.relu ? select(v < Vec{}, Vec{}, v) : v;
}

template <class T>
void norm_apply(const NormInputs<T>& a, int64_t begin, int64_t end, T* y) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t row = r * a.channels;
    each_vec(a.channels, [&](int64_t c, int64_t l) { put(y + row + c, value_of(a, row, c, l), l); });
  }
}

template <class T>
float norm_codes(const NormInputs<T>& a, const UniformSteps& steps, int64_t begin, int64_t end, uint8_t* codes) {
  const Uniform q(steps);
  Vec check = {};
  for (int64_t r = begin; r < end; ++r) {
    const int64_t row = r * a.channels;
    each_vec(a.channels, [&](int64_t c, int64_t l) {
      const Vec v = value_of(a, row, c, l);
      check += v - v;
      store_bytes(codes + row + c, q.byte(v), l);
    });
  }
  return sum_of_lanes(check);
}

/// What v is once it has been stored, as sums of gradients are where they are not part of this.
template <class T>
inline Vec as_stored(Vec v) {
  if constexpr (sizeof(T) == sizeof(float)) return v;
  return widened(narrowed(v));
}

/// The gradient of the normalised and shifted value. With a quantizer behind it, `of_step` becomes the terms of its
/// step's gradient.
template <class T>
inline Vec gradient_of(const NormInputs<T>& a, const Uniform* q, int64_t row, int64_t c, int64_t l, Vec& of_step) {
  const Vec dy = get(a.dy + row + c, l);
  if (a.y) {
    const Vec y = get(a.y + row + c, l);
    const Vec sum = q ? as_stored<T>(dy + q->gradient(y, get(a.dy_codes + row + c, l), of_step)) : dy;
    return a.relu ? select(y > Vec{}, sum, Vec{}) : sum;
  }
  if (!a.relu && !q) return dy;
  const Vec v = value_of(a, row, c, l);
  const Vec passed = q ? q->gradient(v, dy, of_step) : dy;
  return a.relu ? select(v > Vec{}, passed, Vec{}) : passed;
}

template <class T>
void norm_grad_sums(const NormInputs<T>& a, const UniformSteps* steps, int64_t begin, int64_t end, const NormSums& to,
                    T* d_residual) {
  const Uniform uniform(steps ? *steps : UniformSteps{});
  const Uniform* const q = steps ? &uniform : nullptr;
  // Even and odd rows have sums of their own.
  float *const sums[2] = {to.dy, to.scratch}, *const sums_x[2] = {to.dy_x, to.scratch + a.channels};
  for (int i = 0; i < 2; ++i) {
    each_vec(a.channels, [&](int64_t c, int64_t l) { put(sums[i] + c, Vec{}, l), put(sums_x[i] + c, Vec{}, l); });
  }
  LaneSums of_step;
  float* step_sums = to.step;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t row = r * a.channels;
    float *const s = sums[(r - begin) & 1], *const x = sums_x[(r - begin) & 1];
    each_vec(a.channels, [&](int64_t c, int64_t l) {
      Vec terms = {};
      const Vec g = gradient_of(a, q, row, c, l, terms);
      if (q) of_step.add(c, terms);
      if (d_residual) put(d_residual + row + c, g, l);
      put(s + c, get(s + c, l) + g, l);
      put(x + c, get(x + c, l) + g * (get(a.x + row + c, l) - get(a.mean + c, l)), l);
    });
    if (q && ((r + 1 - begin) % to.step_rows == 0 || r + 1 == end)) of_step.take(step_sums), step_sums += kLaneSums;
  }
  each_vec(a.channels, [&](int64_t c, int64_t l) {
    put(to.dy + c, get(sums[0] + c, l) + get(sums[1] + c, l), l);
    put(to.dy_x + c, (get(sums_x[0] + c, l) + get(sums_x[1] + c, l)) * get(a.inv_std + c, l), l);
  });
}

template <class T>
void norm_grad_apply(const NormInputs<T>& a, const UniformSteps* steps, int64_t begin, int64_t end,
                     const float* mean_dy, const float* mean_dy_x, T* dx) {
  const Uniform uniform(steps ? *steps : UniformSteps{});
  const Uniform* const q = steps ? &uniform : nullptr;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t row = r * a.channels;
    each_vec(a.channels, [&](int64_t c, int64_t l) {
      Vec terms = {};
      const Vec inv = get(a.inv_std + c, l);
      const Vec xhat = (get(a.x + row + c, l) - get(a.mean + c, l)) * inv;
      const Vec g = gradient_of(a, q, row, c, l, terms) - get(mean_dy + c, l) - xhat * get(mean_dy_x + c, l);
      put(dx + row + c, g * (get(a.gamma + c, l) * inv), l);
    });
  }
}

template <class T>
void fill_stored(StoredKernels<T>& t) {
  t.norm_chunk = norm_chunk<T>;
  t.norm_apply = norm_apply<T>;
  t.norm_codes = norm_codes<T>;
  t.norm_grad_sums = norm_grad_sums<T>;
  t.norm_grad_apply = norm_grad_apply<T>;
}

}  // namespace

void fill_norm(Kernels& t) {
  fill_stored(t.f32);
  fill_stored(t.bf16);
}

}  // namespace ntq::cpu::NTQ_ISA
