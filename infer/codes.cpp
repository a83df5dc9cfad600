#include "infer/codes.h"

#include <algorithm>
#include <cmath>

namespace ntq::infer {

uint8_t byte_of(const InputCodes& c, float x) {
  if (!c.thresholds.empty()) {
    if (std::isnan(x)) return 0;
    return static_cast<uint8_t>(std::upper_bound(c.thresholds.begin(), c.thresholds.end(), x) - c.thresholds.begin());
  }
  const float shifted = c.offset != 0 ? x - c.offset : x;
  const float code = std::nearbyint(shifted / c.step);  // the mode is to nearest even, as everywhere
  const auto low = static_cast<float>(c.low), high = static_cast<float>(c.high);
  const float clamped = code > low ? std::min(code, high) : low;
  return static_cast<uint8_t>(static_cast<int>(clamped) - c.low);
}

namespace {

/// Few thresholds are counted for many values at a time, which compilers make vectors of.
void count_thresholds(const std::vector<float>& thresholds, const float* x, int64_t n, uint8_t* bytes) {
  constexpr int64_t kBlock = 64;
  float in[kBlock];
  int32_t counts[kBlock];
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t size = std::min(kBlock, n - first);
    std::fill(std::copy_n(x + first, size, in), in + kBlock, 0.0f);
    std::fill_n(counts, kBlock, 0);
    for (const float threshold : thresholds) {
      for (int64_t i = 0; i < kBlock; ++i) counts[i] += threshold <= in[i] ? 1 : 0;
    }
    for (int64_t i = 0; i < size; ++i) bytes[first + i] = static_cast<uint8_t>(counts[i]);
  }
}

}  // namespace

void bytes_of(const InputCodes& codes, const float* x, int64_t n, uint8_t* bytes) {
  if (!codes.thresholds.empty() && codes.thresholds.size() < 64) return count_thresholds(codes.thresholds, x, n, bytes);
  for (int64_t i = 0; i < n; ++i) bytes[i] = byte_of(codes, x[i]);
}

std::vector<float> decoded(const InputCodes& codes, float unit) {
  std::vector<float> out(256, 0.0f);
  for (int code = codes.low; code <= codes.high; ++code) {
    const auto byte = static_cast<size_t>(code - codes.low);
    out[byte] = codes.levels.empty() ? static_cast<float>(code) * unit : codes.levels[byte];
  }
  return out;
}

// Loops without branches, for vectors: all weights of a network pass through them when it is loaded.
bool fit_bits(const std::vector<int8_t>& codes, int bits) {
  const unsigned half = 1u << (bits - 1);
  unsigned outside = 0;  // bits that no code has, of all
  for (const int8_t code : codes) outside |= (static_cast<unsigned>(code) + half) & ~(2 * half - 1);
  return outside == 0;
}

bool all_within(const std::vector<float>& values, float most) {
  int beyond = 0;
  for (const float value : values) beyond |= std::abs(value) <= most ? 0 : 1;
  return beyond == 0;
}

bool same_bytes(const InputCodes& a, const InputCodes& b) {
  return a.low == b.low && a.high == b.high && a.thresholds == b.thresholds &&
         (!a.thresholds.empty() || (a.step == b.step && a.offset == b.offset));
}

}  // namespace ntq::infer
