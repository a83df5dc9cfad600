// Filters, rounded to bfloat16, in panels of pairs; codes as bfloat16.
#include "engine/backend/cpu/bf16/kernels/kernels.h"
#include "engine/backend/cpu/bf16/kernels/transpose.h"
#include "engine/backend/cpu/kernels/bytes.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

/// The first `left` floats, scaled, zeros where there are none.
Vec values(const float* from, int64_t left, Vec scale) {
  return from && left > 0 ? get(from, left < kWidth ? left : kWidth) * scale : Vec{};
}

void pack_rows(const FilterRows& f, BFloat16* to) {
  const Vec scale = splat(f.scale);
  for (int64_t k = 0; k < f.length; k += 2 * kWidth, to += 2 * kWidth * kPanel) {
    const int64_t left = f.length - k, pairs = (left + 1) / 2 < kWidth ? (left + 1) / 2 : kWidth;
    for (int64_t o = 0; o < kPanel; o += kWidth) {
      Pairs square[kWidth] = {};
      for (int64_t i = 0; i < kWidth && o + i < f.rows; ++i) {
        const float* const from = f.w + (o + i) * f.row_stride + k;
        square[i] = joined(values(from, left, scale), values(from + kWidth, left - kWidth, scale));
      }
      transpose(square);
      for (int64_t p = 0; p < pairs; ++p) __builtin_memcpy(to + p * 2 * kPanel + 2 * o, &square[p], sizeof square[p]);
    }
  }
}

void pack_pair(const FilterPair& f, BFloat16* to, int64_t panel_stride) {
  const Vec scale = splat(f.scale);
  for (int64_t c0 = 0; c0 < f.n; c0 += kPanel, to += panel_stride) {
    for (int64_t c = c0; c < c0 + kPanel; c += kWidth) {
      const Pairs pairs = zipped(values(f.even + c, f.n - c, scale), values(f.odd ? f.odd + c : f.odd, f.n - c, scale));
      __builtin_memcpy(to + 2 * (c - c0), &pairs, sizeof pairs);
    }
  }
}

template <class T>
void widen_all(const T* codes, int64_t n, BFloat16* to) {
  // 8 bits of precision: the upper halves are all.
  const auto put = [](const T* from, BFloat16* out) {
    const VecH halves = __builtin_convertvector(reinterpret_cast<Pairs>(whole_numbers(from)) >> 16, VecH);
    __builtin_memcpy(out, &halves, sizeof halves);
  };
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) put(codes + i, to + i);
  if (i == n) return;
  T last[kWidth] = {};
  BFloat16 values[kWidth];
  for (int64_t c = i; c < n; ++c) last[c - i] = codes[c];
  put(last, values);
  for (int64_t c = i; c < n; ++c) to[c] = values[c - i];
}
void widen(const void* codes, DType type, int64_t n, BFloat16* to) {
  if (type == DType::u8) {
    widen_all(static_cast<const uint8_t*>(codes), n, to);
  } else {
    widen_all(static_cast<const int8_t*>(codes), n, to);
  }
}

}  // namespace

void fill_pack(Kernels& t) {
  t.widen = widen;
  t.pack_rows = pack_rows;
  t.pack_pair = pack_pair;
}

}  // namespace ntq::bf16::NTQ_ISA
