#pragma once
// Where the runs of a matrix row lie (Windows, kernels.h), copies and pairs of them.
#include "engine/backend/cpu/bf16/kernels/dot.h"
#include "engine/backend/cpu/bf16/kernels/kernels.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

constexpr int64_t kSlack = 32;  // values behind a run in scratch, which whole vectors may reach

[[maybe_unused]] constexpr int64_t even(int64_t n) { return n + n % 2; }
[[maybe_unused]] constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
[[maybe_unused]] constexpr int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/// Calls op(first row, count, image, line of the grid, place in it) for rows [begin, end) in pieces of one line.
template <class Op>
inline void each_line(const Windows& s, int64_t begin, int64_t end, const Op& op) {
  int64_t j = begin % s.grid_w, line = begin / s.grid_w, image = line / s.grid_h;
  line %= s.grid_h;
  for (int64_t row = begin; row < end; j = 0) {
    const int64_t count = least(s.grid_w - j, end - row);
    op(row, count, image, line, j);
    row += count;
    if (++line == s.grid_h) line = 0, ++image;
  }
}

/// Of a run of n values from `first` on, those within [0, width): [left, right) of the run.
struct Cut {
  int64_t left, right;
};
[[maybe_unused]] inline Cut cut_of(int64_t first, int64_t n, int64_t width) {
  const int64_t left = first < 0 ? least(-first, n) : 0, right = least(n, width - first);
  return {left, right > left ? right : left};
}

/// pointers[row - begin] to values [offset, offset + n) of the run of a line of taps, for rows [begin, end). Runs that
/// the border cuts are put together in `edge`, `pitch` values for each row.
[[maybe_unused]] inline void gather(const Windows& s, int64_t tap, int64_t offset, int64_t n, int64_t begin,
                                    int64_t end, const BFloat16* zeros, BFloat16* edge, int64_t pitch,
                                    const BFloat16** pointers) {
  const int64_t width = s.w * s.c, step = s.step * s.c;
  each_line(s, begin, end, [&](int64_t row, int64_t count, int64_t image, int64_t line, int64_t j) {
    const BFloat16** out = pointers + (row - begin);
    const int64_t h = line * s.step + s.h0 + tap;
    if (h < 0 || h >= s.h) {
      for (int64_t i = 0; i < count; ++i) out[i] = zeros;
      return;
    }
    const BFloat16* from = s.x + (image * s.h + h) * width;
    const int64_t first = (j * s.step + s.w0) * s.c + offset;
    for (int64_t i = 0; i < count; ++i) out[i] = from + first + i * step;
    const auto cut = [&](int64_t i) {
      const int64_t at = first + i * step;
      const auto [left, right] = cut_of(at, n, width);
      BFloat16* to = edge + (row - begin + i) * pitch;
      for (int64_t e = 0; e < left; ++e) to[e] = {};
      if (right > left) __builtin_memcpy(to + left, from + at + left, static_cast<size_t>(right - left) * sizeof *to);
      for (int64_t e = right; e < n; ++e) to[e] = {};
      out[i] = to;
    };
    int64_t i = 0;
    for (; i < count && first + i * step < 0; ++i) cut(i);
    for (int64_t last = count - 1; last >= i && first + last * step + n > width; --last) cut(last);
  });
}

[[maybe_unused]] inline Pairs lower(const BFloat16* p) {
  VecH halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  return __builtin_convertvector(halves, Pairs);
}
[[maybe_unused]] inline void store_pairs(BFloat16* p, Pairs v) { __builtin_memcpy(p, &v, sizeof v); }

/// Memory that whole vectors may not read beyond; what lies elsewhere has slack behind it.
struct Extent {
  const BFloat16* begin;
  const BFloat16* end;
  bool has(const BFloat16* from, int64_t n) const {
    const auto at = reinterpret_cast<uintptr_t>(from), last = reinterpret_cast<uintptr_t>(end);
    return at < reinterpret_cast<uintptr_t>(begin) || at >= last ||
           last - at >= static_cast<uintptr_t>(n) * sizeof *from;
  }
};

/// n values, and whatever follows them up to whole vectors, which lie within kSlack of them.
[[maybe_unused]] inline void copy_run(const Extent& extent, const BFloat16* from, int64_t n, BFloat16* to) {
  constexpr size_t kBytes = kWidth * sizeof *to;
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) __builtin_memcpy(to + i, from + i, kBytes);
  if (i < n && extent.has(from + i, kWidth)) {
    __builtin_memcpy(to + i, from + i, kBytes);
  } else {
    for (; i < n; ++i) to[i] = from[i];
  }
}

/// All lines of taps of rows [begin, end), one behind the other, and whatever follows up to whole vectors; `pitch`
/// values for each row.
[[maybe_unused]] inline void unfold(const Windows& s, int64_t begin, int64_t end, BFloat16* to, int64_t pitch) {
  const Extent extent{s.x, s.x_end};
  const int64_t n = s.taps_w * s.c, width = s.w * s.c, step = s.step * s.c;
  for (int64_t t = 0; t < s.taps_h; ++t) {
    each_line(s, begin, end, [&](int64_t row, int64_t count, int64_t image, int64_t line, int64_t j) {
      const int64_t h = line * s.step + s.h0 + t, first = (j * s.step + s.w0) * s.c;
      const BFloat16* from = s.x + (image * s.h + h) * width;
      BFloat16* out = to + (row - begin) * pitch + t * n;
      // Runs inside of the image, of which whole vectors may be read.
      int64_t whole = 0, whole_end = h >= 0 && h < s.h ? count : 0;
      while (whole < whole_end && first + whole * step < 0) ++whole;
      while (whole < whole_end && first + (whole_end - 1) * step + n > width) --whole_end;
      while (whole < whole_end && !extent.has(from + first + (whole_end - 1) * step, ceil_div(n, kWidth) * kWidth))
        --whole_end;
      for (int64_t e = 0; e < n; e += kWidth) {
        for (int64_t i = whole; i < whole_end; ++i)
          __builtin_memcpy(out + i * pitch + e, from + first + i * step + e, kWidth * sizeof *out);
      }
      for (int64_t i = 0; i < count; ++i) {
        if (i == whole && whole < whole_end) i = whole_end;
        if (i == count) break;
        const int64_t at = first + i * step;
        const Cut cut = h >= 0 && h < s.h ? cut_of(at, n, width) : Cut{0, 0};
        for (int64_t e = 0; e < cut.left; ++e) out[i * pitch + e] = {};
        copy_run(extent, from + at + cut.left, cut.right - cut.left, out + i * pitch + cut.left);
        for (int64_t e = cut.right; e < n; ++e) out[i * pitch + e] = {};
      }
    });
  }
}

/// n pairs of neighbours of two rows, and whatever fills the last of kWidth, to whole vectors.
[[maybe_unused]] inline void interleave([[maybe_unused]] const Extent& extent, const BFloat16* first,
                                        const BFloat16* second, int64_t n, BFloat16* to) {
#if defined(__AVX512BW__)
  alignas(64) static constexpr uint16_t kOrder[2][32] = {
      {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
       8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47},
      {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
       24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63}};
  const __m512i order = _mm512_load_si512(kOrder[0]), other = _mm512_load_si512(kOrder[1]);
  for (; n > 0; n -= 32, first += 32, second += 32, to += 64) {
    const __mmask32 lanes = n < 32 ? (1u << n) - 1 : ~0u;
    const __m512i a = _mm512_maskz_loadu_epi16(lanes, first), b = _mm512_maskz_loadu_epi16(lanes, second);
    _mm512_storeu_si512(to, _mm512_permutex2var_epi16(a, order, b));
    if (n > 16) _mm512_storeu_si512(to + 32, _mm512_permutex2var_epi16(a, other, b));
  }
#else
  for (; n > 0; n -= kWidth, first += kWidth, second += kWidth, to += 2 * kWidth) {
    if (n >= kWidth || (extent.has(first, kWidth) && extent.has(second, kWidth))) {
      store_pairs(to, lower(first) | lower(second) << 16);
      continue;
    }
    BFloat16 rows[2][kWidth] = {};
    for (int64_t i = 0; i < n; ++i) rows[0][i] = first[i], rows[1][i] = second[i];
    store_pairs(to, lower(rows[0]) | lower(rows[1]) << 16);
  }
#endif
}

}  // namespace
}  // namespace ntq::bf16::NTQ_ISA
