// Batch norm, and what is fused behind it: a residual, ReLU, a quantizer. Chunks of rows that stay in cache, so two
// passes over a chunk cost one read of memory.
#include "engine/backend/cpu/kernels/norm.h"
#include "engine/backend/cpu/kernels/uniform.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

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

void join_moments(const RowChunks& of, const float* means, const float* m2s, int64_t begin, int64_t end, float* mean,
                  float* var) {
  for (int64_t c = begin; c < end; c += kColumns) {
    const int64_t columns = end - c < kColumns ? end - c : kColumns;
    double average[kColumns] = {}, m2[kColumns] = {}, count = 0;
    for (int64_t done = 0, at = c; done < of.rows; done += of.step, at += of.channels) {
      const double n = static_cast<double>(of.rows - done < of.step ? of.rows - done : of.step);
      for (int64_t j = 0; j < columns; ++j) {
        const double delta = static_cast<double>(means[at + j]) - average[j];
        average[j] += delta * n / (count + n);
        m2[j] += static_cast<double>(m2s[at + j]) + delta * delta * count * n / (count + n);
      }
      count += n;
    }
    for (int64_t j = 0; j < columns; ++j) {
      mean[c + j] = static_cast<float>(average[j]);
      var[c + j] = static_cast<float>(m2[j] / count);
    }
  }
}

/// Runs op(position, vector of the strip) over rows [begin, end).
template <class S, class Op>
[[gnu::always_inline]] inline void each_row(S strip, int64_t channels, int64_t begin, int64_t end, const Op& op) {
  for (int64_t row = begin * channels + strip.c; row < end * channels; row += channels) {
    each_of<S::kVecs>([&](auto i) __attribute__((always_inline)) { op(row + i * kWidth, i); });
  }
}

template <class T>
void norm_apply(const NormInputs<T>& a, int64_t begin, int64_t end, T* y) {
  each_strip(a.channels, [&, y](auto s) {
    const Values<T, decltype(s)> values(a, s);
    each_row(
        s, a.channels, begin, end, [&](int64_t at, int i) __attribute__((always_inline)) {
          put(y + at, values.value(values.centred(at, i), at, i), s.lanes());
        });
  });
}

template <class T>
float norm_codes(const NormInputs<T>& a, const UniformSteps& steps, int64_t begin, int64_t end, uint8_t* codes) {
  Vec check = {};
  each_strip(a.channels, [&, codes](auto s) {
    const Values<T, decltype(s)> values(a, s);
    const Uniform q(steps);
    Vec sum = {};
    each_row(
        s, a.channels, begin, end, [&](int64_t at, int i) __attribute__((always_inline)) {
          const Vec v = values.value(values.centred(at, i), at, i);
          sum += v - v;
          store_bytes(codes + at, q.byte(v), s.lanes());
        });
    check += sum;
  });
  return sum_of_lanes(check);
}

template <class T>
void fill_stored(StoredKernels<T>& t) {
  t.norm_chunk = norm_chunk<T>;
  t.norm_apply = norm_apply<T>;
  t.norm_codes = norm_codes<T>;
}

}  // namespace

void fill_norm(Kernels& t) {
  fill_stored(t.f32);
  fill_stored(t.bf16);
  t.join_moments = join_moments;
}

}  // namespace ntq::cpu::NTQ_ISA
