// Quantization with a learned step, and NTQ's noise. Plain operators only: the same bits on every ISA.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/noise.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

/// x / step clamped to the range and rounded to even.
inline Vec code(Vec x, Vec step, Vec low, Vec high) { return round_even(clamp(x / step, low, high)); }

void quantize_plain(const float* x, float step, QuantRange range, float* y, int64_t n) {
  const Vec s = splat(step), low = splat(range.low), high = splat(range.high);
  int64_t i = 0;
  const auto value = [=](Vec v) { return where_finite(v, code(v, s, low, high) * s); };
  for (; i + kWidth <= n; i += kWidth) store(y + i, value(load(x + i)));
  if (i < n) store_part(y + i, value(load_part(x + i, n - i)), n - i);
}

void quantize(const float* x, float step, QuantRange range, const QuantNoise& noise, float* y, int64_t begin,
              int64_t end) {
  if (noise.c == 0) {
    quantize_plain(x + begin, step, range, y + begin, end - begin);
    return;
  }
  const Vec s = splat(step), low = splat(range.low), high = splat(range.high);
  const Vec c = splat(noise.c), k = splat(-noise.k);
  float eps[kNoiseChunk];
  for (int64_t at = begin; at < end;) {
    const int64_t first = at / kNoiseChunk * kNoiseChunk;
    const int64_t stop = first + kNoiseChunk < end ? first + kNoiseChunk : end;
    normal_chunk(noise.key, static_cast<uint64_t>(first), eps);
    for (; at < stop; at += kWidth) {
      const int64_t lanes = stop - at < kWidth ? stop - at : kWidth;
      const Vec v = get(x + at, lanes);
      const Vec n = get(eps + (at - first), lanes);
      const Vec q = where_finite(v, code(v, s, low, high) * s);
      const Vec e = absolute(q - v);
      put(y + at, q + c * exponential(k * e) * square_root(e) * n, lanes);
    }
    at = stop;
  }
}

/// The sum of terms(at, lanes) over `lanes` elements from each `at`, 0 in the lanes beyond them. Sixteen float lanes
/// over at most a chunk of elements, then float64: the same sum on every ISA.
template <typename Terms>
double sum_over(int64_t n, Terms terms) {
  constexpr int kLaneVecs = 16 / kWidth;
  constexpr int64_t kChunk = 4096;
  double total = 0;
  for (int64_t c0 = 0; c0 < n; c0 += kChunk) {
    const int64_t stop = n - c0 < kChunk ? n : c0 + kChunk;
    Vec sums[kLaneVecs] = {};
    for (int64_t i = c0; i < stop; i += 16) {
      for (int j = 0; j < kLaneVecs; ++j) {
        const int64_t at = i + j * kWidth;
        const int64_t lanes = stop - at < kWidth ? stop - at : kWidth;
        if (lanes <= 0) break;
        sums[j] += terms(at, lanes);
      }
    }
    for (int l = 0; l < 16; ++l) total += static_cast<double>(sums[l / kWidth][l % kWidth]);
  }
  return total;
}

double quantize_grad(const float* x, float step, QuantRange range, const float* dy, float* dx, int64_t n) {
  const Vec s = splat(step), low = splat(range.low), high = splat(range.high);
  return sum_over(n, [&](int64_t at, int64_t lanes) {
    const Vec v = get(x + at, lanes) / s;
    const Vec g = get(dy + at, lanes);
    const VecI below = v <= low, above = v >= high;
    const Vec clipped = clamp(v, low, high);
    const Vec d = select(below, low, select(above, high, round_even(clipped) - v));
    put(dx + at, select(below | above, Vec{}, g), lanes);
    return g * d;
  });
}

double quantize_error(const float* x, float step, QuantRange range, int64_t n) {
  const Vec s = splat(step), low = splat(range.low), high = splat(range.high);
  return sum_over(n, [&](int64_t at, int64_t lanes) {
    const Vec v = get(x + at, lanes);
    const Vec e = code(v, s, low, high) * s - v;
    return e * e;
  });
}

void quantize_codes(const float* x, float step, QuantRange range, uint8_t* codes, int64_t n) {
  const Vec s = splat(step), low = splat(range.low), high = splat(range.high);
  for (int64_t i = 0; i < n; i += kWidth) {
    const int64_t lanes = n - i < kWidth ? n - i : kWidth;
    const VecI q = __builtin_convertvector(code(load_part(x + i, lanes), s, low, high), VecI);
    for (int64_t lane = 0; lane < lanes; ++lane) codes[i + lane] = static_cast<uint8_t>(q[lane]);
  }
}

}  // namespace

void fill_quantize(Kernels& t) {
  t.quantize = quantize;
  t.quantize_grad = quantize_grad;
  t.quantize_codes = quantize_codes;
  t.quantize_error = quantize_error;
}

}  // namespace ntq::cpu::NTQ_ISA
