// Rows of photographs, four values a pixel: weighted sums along a row and across rows. One source for every instruction
// set, on vectors of eight values that compilers split where registers are shorter; so the sums have one order.
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

using Two [[gnu::vector_size(32)]] = float;  // two pixels
using TwoInts [[gnu::vector_size(32)]] = int32_t;
using One [[gnu::vector_size(16)]] = float;
using OneInts [[gnu::vector_size(16)]] = int32_t;
using Bytes8 [[gnu::vector_size(8)]] = uint8_t;

template <class V, class T>
[[gnu::always_inline]] inline void get(V& value, const T* p) {
  __builtin_memcpy(&value, p, sizeof value);
}
template <class V, class T>
[[gnu::always_inline]] inline void put(T* p, const V& value) {
  __builtin_memcpy(p, &value, sizeof value);
}

void widen_bytes(const uint8_t* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

/// `kPairs` > 0: that many pairs of taps, unrolled.
template <int kPairs>
void row_of_pairs(const ResampleRow& r, float* y) {
  const int64_t pairs = kPairs > 0 ? kPairs : r.taps / 2;
  const float* w = r.weights;
  for (int64_t i = 0; i < r.pixels; ++i, w += 8 * pairs) {
    const float* x = r.x + 4 * (r.begins[i] - r.first);
    Two weight, value;
    get(weight, w);
    get(value, x);
    Two sum = weight * value;
    for (int64_t k = 1; k < pairs; ++k) {
      get(weight, w + 8 * k);
      get(value, x + 8 * k);
      sum += weight * value;
    }
    One low, high;
    get(low, reinterpret_cast<const float*>(&sum));
    get(high, reinterpret_cast<const float*>(&sum) + 4);
    const OneInts rounded = __builtin_convertvector(low + high + 0.5f, OneInts);
    put(y + 4 * i, __builtin_convertvector(rounded, One));
  }
}

void resample_row(const ResampleRow& r, float* y) {
  switch (r.taps / 2) {
    case 1: return row_of_pairs<1>(r, y);
    case 2: return row_of_pairs<2>(r, y);
    case 3: return row_of_pairs<3>(r, y);
    case 4: return row_of_pairs<4>(r, y);
    default: return row_of_pairs<0>(r, y);
  }
}

/// `kTaps` > 0: that many rows, unrolled.
template <int kTaps>
void mix(const float* const* rows, const float* weights, int64_t count, int64_t n, uint8_t* y) {
  const int64_t taps = kTaps > 0 ? kTaps : count;
  for (int64_t i = 0; i < n; i += 8) {
    Two value;
    get(value, rows[0] + i);
    Two sum = weights[0] * value;
    for (int64_t k = 1; k < taps; ++k) {
      get(value, rows[k] + i);
      sum += weights[k] * value;
    }
    put(y + i, __builtin_convertvector(__builtin_convertvector(sum + 0.5f, TwoInts), Bytes8));
  }
}

void mix_rows(const float* const* rows, const float* weights, int64_t taps, int64_t n, uint8_t* y) {
  switch (taps) {
    case 1: return mix<1>(rows, weights, taps, n, y);
    case 2: return mix<2>(rows, weights, taps, n, y);
    case 3: return mix<3>(rows, weights, taps, n, y);
    case 4: return mix<4>(rows, weights, taps, n, y);
    case 5: return mix<5>(rows, weights, taps, n, y);
    case 6: return mix<6>(rows, weights, taps, n, y);
    default: return mix<0>(rows, weights, taps, n, y);
  }
}

}  // namespace

void fill_resample(Kernels& table) {
  table.widen_bytes = widen_bytes;
  table.resample_row = resample_row;
  table.mix_rows = mix_rows;
}

}  // namespace ntq::cpu::NTQ_ISA
