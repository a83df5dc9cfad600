#pragma once
// The register tile of the convolution kernels: kTile rows by one panel of kVecs vectors. With the panel's vectors and
// one broadcast it fills the register file: 12 + 3 of 16 (portable, AVX2), 24 + 3 of 32 (AVX-512).
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

#if defined(NTQ_ISA_avx512)
constexpr int kTile = 12;
#else
constexpr int kTile = 6;
#endif
constexpr int kVecs = 2;
constexpr int kPanel = kVecs * kWidth;

[[maybe_unused]] inline void clear_row(Vec* acc) {
  for (int v = 0; v < kVecs; ++v) acc[v] = Vec{};
}
[[maybe_unused]] inline void load_row(Vec* acc, const float* p, int64_t channels) {
  if (channels == kPanel) {
    for (int v = 0; v < kVecs; ++v) acc[v] = load(p + v * kWidth);
    return;
  }
  for (int v = 0; v < kVecs; ++v) {
    const int64_t n = channels - v * kWidth;
    acc[v] = n >= kWidth ? load(p + v * kWidth) : n > 0 ? load_part(p + v * kWidth, n) : Vec{};
  }
}
[[maybe_unused]] inline void store_row(float* p, const Vec* acc, int64_t channels) {
  if (channels == kPanel) {
    for (int v = 0; v < kVecs; ++v) store(p + v * kWidth, acc[v]);
    return;
  }
  for (int v = 0; v < kVecs; ++v) {
    const int64_t n = channels - v * kWidth;
    if (n >= kWidth) {
      store(p + v * kWidth, acc[v]);
    } else if (n > 0) {
      store_part(p + v * kWidth, acc[v], n);
    }
  }
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
