// Batch norm, and what is fused behind it: a residual, ReLU, a quantizer. Chunks of rows that stay in cache, so two
// passes over a chunk cost one read of memory; strips of channels, whose constants and sums stay in registers.
#include "engine/backend/cpu/kernels/each_vec.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/uniform.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int kStrip = 4;  // vectors of the widest strip

/// N vectors of channels, the first of which is c; of the only one of the last strip, `rest` lanes.
template <int N, bool Whole>
struct Strip {
  static constexpr int kVecs = N;
  int64_t c, rest;
  int64_t lanes() const { return Whole ? kWidth : rest; }
  int64_t at(int i) const { return c + i * kWidth; }
};

template <class Op>
inline void each_strip(int64_t channels, const Op& op) {
  int64_t c = 0;
  for (; c + kStrip * kWidth <= channels; c += kStrip * kWidth) op(Strip<kStrip, true>{c, 0});
  if (c + 2 * kWidth <= channels) op(Strip<2, true>{c, 0}), c += 2 * kWidth;
  if (c + kWidth <= channels) op(Strip<1, true>{c, 0}), c += kWidth;
  if (c < channels) op(Strip<1, false>{c, channels - c});
}

template <class T>
void norm_chunk(const T* x, int64_t rows, int64_t channels, float* mean, float* m2) {
  each_strip(channels, [=](auto s) {
    constexpr int kVecs = decltype(s)::kVecs;
    // Runs add(sum, values) over the rows: four sums of each vector hide the latency of an addition.
    const auto sum_rows = [=](auto add, Vec* total) {
      Vec sums[kVecs][4] = {};
      const T* row = x + s.c;
      int64_t r = 0;
      for (; r + 4 <= rows; r += 4) {
        for (int j = 0; j < 4; ++j, row += channels) {
          for (int i = 0; i < kVecs; ++i) sums[i][j] = add(sums[i][j], get(row + i * kWidth, s.lanes()), i);
        }
      }
      for (; r < rows; ++r, row += channels) {
        for (int i = 0; i < kVecs; ++i) sums[i][0] = add(sums[i][0], get(row + i * kWidth, s.lanes()), i);
      }
      for (int i = 0; i < kVecs; ++i) total[i] = (sums[i][0] + sums[i][1]) + (sums[i][2] + sums[i][3]);
    };
    Vec average[kVecs], squares[kVecs];
    sum_rows([](Vec sum, Vec v, int) { return sum + v; }, average);
    for (int i = 0; i < kVecs; ++i) average[i] = average[i] / splat(static_cast<float>(rows));
    sum_rows(
        [&](Vec sum, Vec v, int i) {
          const Vec d = v - average[i];
          return sum + d * d;
        },
        squares);
    for (int i = 0; i < kVecs; ++i) {
      put(mean + s.at(i), average[i], s.lanes());
      put(m2 + s.at(i), squares[i], s.lanes());
    }
  });
}

/// What a norm gives in a strip of channels.
template <class T, class S>
struct Values {
  const T *x, *residual;
  bool relu;
  S strip;
  Vec mean[S::kVecs], factor[S::kVecs], beta[S::kVecs];

  Values(const NormInputs<T>& a, S s) : x(a.x), residual(a.residual), relu(a.relu), strip(s) {
    for (int i = 0; i < S::kVecs; ++i) {
      mean[i] = get(a.mean + s.at(i), s.lanes());
      factor[i] = get(a.inv_std + s.at(i), s.lanes()) * get(a.gamma + s.at(i), s.lanes());
      beta[i] = a.beta ? get(a.beta + s.at(i), s.lanes()) : Vec{};
    }
  }
  Vec centred(int64_t at, int i) const { return get(x + at, strip.lanes()) - mean[i]; }
  /// Of the strip's vector i, which begins at `at`, from its centred x.
  Vec value(Vec from, int64_t at, int i) const {
    Vec v = from * factor[i] + beta[i];
    if (residual) v += get(residual + at, strip.lanes());
    return relu ? select(v < Vec{}, Vec{}, v) : v;
  }
};

/// Runs op(position, vector of the strip) over rows [begin, end).
template <class S, class Op>
inline void each_row(S strip, int64_t channels, int64_t begin, int64_t end, const Op& op) {
  for (int64_t row = begin * channels + strip.c; row < end * channels; row += channels) {
    for (int i = 0; i < S::kVecs; ++i) op(row + i * kWidth, i);
  }
}

template <class T>
void norm_apply(const NormInputs<T>& a, int64_t begin, int64_t end, T* y) {
  each_strip(a.channels, [&, to = y](auto s) {
    const Values<T, decltype(s)> values(a, s);
    each_row(s, a.channels, begin, end,
             [=](int64_t at, int i) { put(to + at, values.value(values.centred(at, i), at, i), s.lanes()); });
  });
}

template <class T>
float norm_codes(const NormInputs<T>& a, const UniformSteps& steps, int64_t begin, int64_t end, uint8_t* codes) {
  const Uniform q(steps);
  Vec check = {};
  each_strip(a.channels, [&](auto s) {
    const Values<T, decltype(s)> values(a, s);
    const Uniform quantizer = q;
    uint8_t* const to = codes;
    Vec sum = {};
    each_row(s, a.channels, begin, end, [=, &sum](int64_t at, int i) {
      const Vec v = values.value(values.centred(at, i), at, i);
      sum += v - v;
      store_bytes(to + at, quantizer.byte(v), s.lanes());
    });
    check += sum;
  });
  return sum_of_lanes(check);
}

/// The gradient of the normalised and shifted value. With a quantizer behind it, `of_step` becomes the terms of its
/// step's gradient.
template <class T, class S>
struct Gradients : Values<T, S> {
  const T *dy, *y;
  bool quantized;
  Uniform q;

  Gradients(const NormInputs<T>& a, const UniformSteps* steps, S s)
      : Values<T, S>(a, s), dy(a.dy), y(a.y), quantized(steps), q(steps ? *steps : UniformSteps{}) {}
  Vec gradient(Vec centred, int64_t at, int i, Vec& of_step) const {
    const int64_t lanes = this->strip.lanes();
    const Vec g = get(dy + at, lanes);
    if (y) return select(get(y + at, lanes) > Vec{}, g, Vec{});
    if (!this->relu && !quantized) return g;
    const Vec v = this->value(centred, at, i);
    const Vec passed = quantized ? q.gradient(v, g, of_step) : g;
    return this->relu ? select(v > Vec{}, passed, Vec{}) : passed;
  }
};

template <class T>
void norm_grad_sums(const NormInputs<T>& a, const UniformSteps* steps, int64_t begin, int64_t end, const NormSums& to,
                    T* d_residual) {
  // Even and odd rows have sums of their own.
  float *const sums[2] = {to.dy, to.scratch}, *const sums_x[2] = {to.dy_x, to.scratch + a.channels};
  for (int i = 0; i < 2; ++i) {
    each_vec(a.channels, [&](int64_t c, int64_t l) { put(sums[i] + c, Vec{}, l), put(sums_x[i] + c, Vec{}, l); });
  }
  // A step's sums are over rows one after the other: only where one strip is a row, more of them can go together.
  const bool one_strip = a.channels == kStrip * kWidth || a.channels == 2 * kWidth || a.channels <= kWidth;
  const int64_t together = !steps ? end - begin : one_strip ? to.step_rows : 1;
  LaneSums of_step;
  float* step_sums = to.step;
  for (int64_t r = begin; r < end; r += together) {
    const int64_t stop = r + together < end ? r + together : end;
    const int first = static_cast<int>((r - begin) & 1);
    each_strip(a.channels, [&](auto s) {
      constexpr int kVecs = decltype(s)::kVecs;
      const Gradients<T, decltype(s)> gradients(a, steps, s);
      Vec dy[2][kVecs], dy_x[2][kVecs];
      for (int j = 0; j < 2; ++j) {
        for (int i = 0; i < kVecs; ++i) {
          dy[j][i] = get(sums[first ^ j] + s.at(i), s.lanes());
          dy_x[j][i] = get(sums_x[first ^ j] + s.at(i), s.lanes());
        }
      }
      LaneSums lanes = of_step;
      const auto take_row = [&](int64_t row, int j) {
        for (int i = 0; i < kVecs; ++i) {
          const int64_t at = row + i * kWidth;
          Vec terms = {};
          const Vec centred = gradients.centred(at, i), g = gradients.gradient(centred, at, i, terms);
          if (steps) lanes.add(s.at(i), terms);
          if (d_residual) put(d_residual + at, g, s.lanes());
          dy[j][i] += g;
          dy_x[j][i] += g * centred;
        }
      };
      int64_t row = r * a.channels + s.c, rows = stop - r;
      for (; rows >= 2; rows -= 2, row += 2 * a.channels) take_row(row, 0), take_row(row + a.channels, 1);
      if (rows) take_row(row, 0);
      of_step = lanes;
      for (int j = 0; j < 2; ++j) {
        for (int i = 0; i < kVecs; ++i) {
          put(sums[first ^ j] + s.at(i), dy[j][i], s.lanes());
          put(sums_x[first ^ j] + s.at(i), dy_x[j][i], s.lanes());
        }
      }
    });
    if (steps && ((stop - begin) % to.step_rows == 0 || stop == end)) of_step.take(step_sums), step_sums += kLaneSums;
  }
  each_vec(a.channels, [&](int64_t c, int64_t l) {
    put(to.dy + c, get(sums[0] + c, l) + get(sums[1] + c, l), l);
    put(to.dy_x + c, (get(sums_x[0] + c, l) + get(sums_x[1] + c, l)) * get(a.inv_std + c, l), l);
  });
}

template <class T>
void norm_grad_apply(const NormInputs<T>& a, const UniformSteps* steps, int64_t begin, int64_t end,
                     const float* mean_dy, const float* mean_dy_x, T* dx) {
  each_strip(a.channels, [&, to = dx](auto s) {
    constexpr int kVecs = decltype(s)::kVecs;
    const Gradients<T, decltype(s)> gradients(a, steps, s);
    Vec inv[kVecs], scale[kVecs], of_dy[kVecs], of_dy_x[kVecs];
    for (int i = 0; i < kVecs; ++i) {
      inv[i] = get(a.inv_std + s.at(i), s.lanes());
      scale[i] = get(a.gamma + s.at(i), s.lanes()) * inv[i];
      of_dy[i] = get(mean_dy + s.at(i), s.lanes());
      of_dy_x[i] = get(mean_dy_x + s.at(i), s.lanes());
    }
    each_row(s, a.channels, begin, end, [=](int64_t at, int i) {
      Vec terms = {};
      const Vec centred = gradients.centred(at, i), xhat = centred * inv[i];
      const Vec g = gradients.gradient(centred, at, i, terms) - of_dy[i] - xhat * of_dy_x[i];
      put(to + at, g * scale[i], s.lanes());
    });
  });
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
