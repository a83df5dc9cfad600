#include "engine/backend/cpu/kernels/each_vec.h"
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

template <class From, class To>
void convert(const From* x, To* y, int64_t n) {
  each_vec(n, [=](int64_t i, int64_t l) { put(y + i, get(x + i, l), l); });
}
void scale(const float* x, float alpha, float* y, int64_t n) {
  each_vec(n, [=](int64_t i, int64_t l) { put(y + i, splat(alpha) * get(x + i, l), l); });
}
template <class T>
void axpy(float alpha, const T* x, T* y, int64_t n) {
  each_vec(n, [=](int64_t i, int64_t l) { put(y + i, get(y + i, l) + splat(alpha) * get(x + i, l), l); });
}
template <class T>
void relu(const T* x, T* y, int64_t n) {
  each_vec(n, [=](int64_t i, int64_t l) {
    const Vec v = get(x + i, l);
    put(y + i, select(v < Vec{}, Vec{}, v), l);
  });
}
template <class T>
void relu_grad(const T* y, const T* dy, T* dx, int64_t n) {
  each_vec(n, [=](int64_t i, int64_t l) { put(dx + i, select(get(y + i, l) > Vec{}, get(dy + i, l), Vec{}), l); });
}

/// max(v, floor), but what is not finite stays.
inline Vec not_below(Vec floor, Vec v) { return select((v < floor) & (v >= splat(-kLargest)), floor, v); }

/// What is above 0 stays between that times `factor` and that share of it, unless it becomes infinite or no number.
struct Near {
  Vec value;
  VecI held;
};
inline Near near(Vec factor, Vec before, Vec moved) {
  const Vec low = before / factor, high = before * factor;
  const VecI held = (before > Vec{}) & (absolute(moved) <= splat(kLargest)) & ((moved < low) | (moved > high));
  return {select(held, select(moved < low, low, high), moved), held};
}

template <bool kHolds>
void sgd_holding(const SgdUpdate& u, float* w, const float* g, float* m, int64_t n) {
  const Vec lr = splat(u.lr), momentum = splat(u.momentum), decay = splat(u.weight_decay), floor = splat(u.floor);
  const Vec factor = splat(u.most_change);
  each_vec(n, [=, nesterov = u.nesterov](int64_t i, int64_t l) {
    const Vec weight = get(w + i, l);
    const Vec grad = get(g + i, l) + decay * weight;
    Vec velocity = momentum * get(m + i, l) + grad;
    Vec moved = weight - lr * (nesterov ? grad + momentum * velocity : velocity);
    if constexpr (kHolds) {
      const Near at = near(factor, weight, moved);
      moved = at.value;
      velocity = select(at.held, (weight - moved) / lr, velocity);
    }
    put(m + i, velocity, l);
    put(w + i, not_below(floor, moved), l);
  });
}
void sgd(const SgdUpdate& u, float* w, const float* g, float* m, int64_t n) {
  (u.most_change <= kLargest ? sgd_holding<true> : sgd_holding<false>)(u, w, g, m, n);
}

template <bool kHolds>
void adam_holding(const AdamUpdate& u, float* w, const float* g, float* m, float* v, int64_t n) {
  const Vec lr = splat(u.lr), beta1 = splat(u.beta1), beta2 = splat(u.beta2), epsilon = splat(u.epsilon);
  const Vec rest1 = splat(1.0f - u.beta1), rest2 = splat(1.0f - u.beta2), scale = splat(u.square_scale);
  const Vec decay = splat(u.decoupled ? 0.0f : u.weight_decay), factor = splat(u.most_change);
  const Vec shrink = splat(u.decoupled ? u.decay_lr * u.weight_decay : 0.0f), floor = splat(u.floor);
  each_vec(n, [=](int64_t i, int64_t l) {
    const Vec weight = get(w + i, l);
    const Vec grad = get(g + i, l) + decay * weight;
    const Vec mean = beta1 * get(m + i, l) + rest1 * grad;
    const Vec square = beta2 * get(v + i, l) + rest2 * grad * grad;
    put(m + i, mean, l);
    put(v + i, square, l);
    Vec moved = weight - lr * mean / (square_root(square * scale) + epsilon) - shrink * weight;
    if constexpr (kHolds) moved = near(factor, weight, moved).value;
    put(w + i, not_below(floor, moved), l);
  });
}
void adam(const AdamUpdate& u, float* w, const float* g, float* m, float* v, int64_t n) {
  (u.most_change <= kLargest ? adam_holding<true> : adam_holding<false>)(u, w, g, m, v, n);
}

/// Sum of op(x) in float64. Sixteen fixed lanes whatever the vector width, so every ISA gives the same bits.
template <class Op>
double lane_sum(const float* x, int64_t n, Op op) {
  double lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int l = 0; l < 16; ++l) lanes[l] += static_cast<double>(op(x[i + l]));
  }
  for (int l = 0; i < n; ++i, ++l) lanes[l] += static_cast<double>(op(x[i]));
  double total = 0;
  for (const double lane : lanes) total += lane;
  return total;
}
double sum(const float* x, int64_t n) {
  return lane_sum(x, n, [](float v) { return v; });
}
double sum_abs(const float* x, int64_t n) {
  return lane_sum(x, n, [](float v) { return __builtin_fabsf(v); });
}

void sum_rows(const float* x, float* y, int64_t rows, int64_t channels) {
  for (int64_t c = 0; c < channels; ++c) y[c] = 0;
  for (int64_t r = 0; r < rows; ++r) axpy(1.0f, x + r * channels, y, channels);
}

template <class T>
void fill(StoredKernels<T>& t) {
  t.axpy = axpy<T>;
  t.relu = relu<T>;
  t.relu_grad = relu_grad<T>;
}

}  // namespace

void fill_elementwise(Kernels& t) {
  fill(t.f32);
  fill(t.bf16);
  t.widen = convert<BFloat16, float>;
  t.narrow = convert<float, BFloat16>;
  t.scale = scale;
  t.sgd = sgd;
  t.adam = adam;
  t.sum = sum;
  t.sum_abs = sum_abs;
  t.sum_rows = sum_rows;
}

}  // namespace ntq::cpu::NTQ_ISA
