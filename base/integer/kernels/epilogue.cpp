// The float32 end of every sum: single operations in the order of Epilogue, whose bits no instruction set may change.
#include "base/integer/kernels/epilogue.h"

#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

/// Nearest integer, ties to even; exact for |v| < 2^22.
inline float round_even(float v) { return (v + 12582912.0f) - 12582912.0f; }

/// The code's byte of v. Clamping v itself is as good as clamping v / step, and one of them is enough: the quotient of
/// fl(code * step) and step rounds to that code.
inline uint8_t byte_of(float v, const CodeGrid& g, float low, float high) {
  v = v > low ? v : low;
  v = v < high ? v : high;
  return static_cast<uint8_t>(static_cast<int32_t>(round_even(v / g.step)) + g.zero);
}

/// y {n} from `at` of the output on.
inline void store_end(const Epilogue& e, float* y, int64_t at, int64_t n) {
  if (e.skip != nullptr) {
    for (int64_t c = 0; c < n; ++c) y[c] += e.skip[at + c];
  }
  if (e.relu) {
    for (int64_t c = 0; c < n; ++c) y[c] = y[c] > 0 ? y[c] : 0;
  }
  if (e.y != nullptr) {
    for (int64_t c = 0; c < n; ++c) e.y[at + c] = y[c];
  }
  if (e.codes != nullptr) {
    const float low = static_cast<float>(e.grid.low) * e.grid.step, high = static_cast<float>(e.grid.high) * e.grid.step;
    for (int64_t c = 0; c < n; ++c) e.codes[at + c] = byte_of(y[c], e.grid, low, high);
  }
}

}  // namespace

void finish(const TileEnd& end, const int32_t* sums, const int64_t* pixels, int64_t count) {
  const int64_t left = end.channels - end.at, n = left < kPanel ? left : kPanel;
  for (int64_t i = 0; i < count; ++i, sums += kPanel) {
    if (pixels[i] < 0) continue;
    float y[kPanel];
    for (int64_t c = 0; c < n; ++c) {
      const int32_t sum = (sums[c] + (end.start != nullptr ? end.start[c] : 0)) >> end.shift_right;
      y[c] = static_cast<float>(sum) * end.scale[c] + end.shift[c];
    }
    store_end(*end.e, y, pixels[i] * end.channels + end.at, n);
  }
}

void pointwise(const float* x, int64_t pixels, int64_t channels, const Epilogue& e) {
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t at = 0; at < channels; at += kPanel) {
      const int64_t n = channels - at < kPanel ? channels - at : kPanel;
      float y[kPanel];
      for (int64_t c = 0; c < n; ++c) y[c] = x[i * channels + at + c];
      if (e.scale != nullptr) {
        for (int64_t c = 0; c < n; ++c) y[c] = y[c] * e.scale[at + c] + e.shift[at + c];
      }
      store_end(e, y, i * channels + at, n);
    }
  }
}

}  // namespace ntq::integer::NTQ_ISA
