// Quantization with a learned step, and NTQ's noise. Plain operators only: the same bits on every ISA.
#include "engine/backend/cpu/kernels/each_vec.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/noise.h"
#include "engine/backend/cpu/kernels/uniform.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

inline Vec quantized(const Uniform& q, Vec v) { return where_finite(v, q.code(v) * q.step); }

template <class T>
void quantize_plain(const T* x, const UniformSteps& steps, T* y, int64_t n) {
  const Uniform q(steps);
  each_vec(n, [&](int64_t i, int64_t l) { put(y + i, quantized(q, get(x + i, l)), l); });
}

/// With its noise: q + c exp(-k e) sqrt(e) eps, of a few vectors.
template <class T>
inline void temper(const Uniform& uniform, const QuantNoise& noise, const T* x, const float* eps, T* y) {
  constexpr int kTogether = 4;
  static_assert(kNoiseChunk % (kTogether * kWidth) == 0);
  const Vec c = splat(noise.c), k = splat(-noise.k);
  for (int64_t at = 0; at < kNoiseChunk; at += kTogether * kWidth) {
    Vec q[kTogether], e[kTogether], factor[kTogether];
    for (int i = 0; i < kTogether; ++i) {
      const Vec v = load(x + at + i * kWidth);
      q[i] = quantized(uniform, v);
      e[i] = absolute(q[i] - v);
      factor[i] = k * e[i];
    }
    exponentials<kTogether>(factor, factor);
    for (int i = 0; i < kTogether; ++i) {
      const int64_t j = at + i * kWidth;
      store(y + j, q[i] + c * factor[i] * square_root(e[i]) * load(eps + j));
    }
  }
}

template <class T>
void quantize(const T* x, const UniformSteps& steps, const QuantNoise& noise, T* y, int64_t begin, int64_t end) {
  if (noise.c == 0) return quantize_plain(x + begin, steps, y + begin, end - begin);
  const Uniform uniform(steps);
  float eps[kNoiseChunk];
  for (int64_t at = begin; at < end;) {
    const int64_t first = at / kNoiseChunk * kNoiseChunk;
    const int64_t stop = first + kNoiseChunk < end ? first + kNoiseChunk : end;
    normal_chunk(noise.key, static_cast<uint64_t>(first), eps);
    if (stop - at == kNoiseChunk) {
      temper(uniform, noise, x + at, eps, y + at);
    } else {  // in whole vectors too, beside zeros
      T part[kNoiseChunk] = {};
      for (int64_t i = at; i < stop; ++i) part[i - first] = x[i];
      temper(uniform, noise, part, eps, part);
      for (int64_t i = at; i < stop; ++i) y[i] = part[i - first];
    }
    at = stop;
  }
}

/// The sum of terms(at, lanes) over `lanes` elements from each `at`, 0 in the lanes beyond them. Sixteen float lanes
/// over at most a chunk of elements, then float64: the same sum on every ISA.
template <class Terms>
double sum_over(int64_t n, Terms terms) {
  double total = 0;
  for (int64_t c0 = 0; c0 < n; c0 += kLaneRun) {
    LaneSums sums;
    each_vec(n - c0 < kLaneRun ? n - c0 : kLaneRun, [&](int64_t i, int64_t l) { sums.add(i, terms(c0 + i, l)); });
    float lanes[kLaneSums];
    sums.take(lanes);
    for (const float lane : lanes) total += static_cast<double>(lane);
  }
  return total;
}

template <class T>
double quantize_grad(const T* x, const UniformSteps& steps, const T* dy, T* dx, int64_t n) {
  const Uniform q(steps);
  return sum_over(n, [&](int64_t at, int64_t l) {
    Vec of_step;
    put(dx + at, q.gradient(get(x + at, l), get(dy + at, l), of_step), l);
    return of_step;
  });
}

template <class T>
double quantize_error(const T* x, const UniformSteps& steps, int64_t n) {
  const Uniform q(steps);
  return sum_over(n, [&](int64_t at, int64_t l) {
    const Vec v = get(x + at, l);
    const Vec e = q.code(v) * q.step - v;
    return e * e;
  });
}

template <class T>
float quantize_codes(const T* x, const UniformSteps& steps, uint8_t* codes, int64_t n) {
  const Uniform q(steps);
  Vec check = {};
  each_vec(n, [&](int64_t i, int64_t l) {
    const Vec v = get(x + i, l);
    check += v - v;
    store_bytes(codes + i, q.byte(v), l);
  });
  return sum_of_lanes(check);
}

template <class T>
void decode(const uint8_t* codes, bool is_signed, float step, T* y, int64_t n) {
  const Vec s = splat(step);
  const VecI sign = VecI{} + (is_signed ? 128 : 0);  // (b ^ 128) - 128 is a byte as int8
  each_vec(n, [=](int64_t i, int64_t l) {
    const VecI whole = (load_bytes(codes + i, l) ^ sign) - sign;
    put(y + i, __builtin_convertvector(whole, Vec) * s, l);
  });
}

template <class T>
void fill_stored(StoredKernels<T>& t) {
  t.quantize = quantize<T>;
  t.quantize_grad = quantize_grad<T>;
  t.quantize_codes = quantize_codes<T>;
  t.quantize_error = quantize_error<T>;
  t.decode = decode<T>;
}

}  // namespace

void fill_quantize(Kernels& t) {
  fill_stored(t.f32);
  fill_stored(t.bf16);
}

}  // namespace ntq::cpu::NTQ_ISA
