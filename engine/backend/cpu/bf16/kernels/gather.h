#pragma once
// Where the runs of a matrix row lie (Windows, kernels.h), and their values as bfloat16.
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

/// pointers[row - begin] to values [offset, offset + n) of the run of a line of taps, for rows [begin, end). Runs that
/// the border cuts are put together in `edge`, `pitch` values for each row.
template <class T>
inline void gather(const Windows& s, int64_t tap, int64_t offset, int64_t n, int64_t begin, int64_t end, const T* zeros,
                   T* edge, int64_t pitch, const T** pointers) {
  const int64_t width = s.w * s.c, step = s.step * s.c;
  each_line(s, begin, end, [&](int64_t row, int64_t count, int64_t image, int64_t line, int64_t j) {
    const T** out = pointers + (row - begin);
    const int64_t h = line * s.step + s.h0 + tap;
    if (h < 0 || h >= s.h) {
      for (int64_t i = 0; i < count; ++i) out[i] = zeros;
      return;
    }
    const T* from = static_cast<const T*>(s.x) + (image * s.h + h) * width;
    const int64_t first = (j * s.step + s.w0) * s.c + offset;
    for (int64_t i = 0; i < count; ++i) out[i] = from + first + i * step;
    const auto cut = [&](int64_t i) {
      const int64_t at = first + i * step;
      const int64_t left = at < 0 ? least(-at, n) : 0, right = at + n > width ? (width > at ? width - at : left) : n;
      T* to = edge + (row - begin + i) * pitch;
      if (left > 0) __builtin_memset(to, 0, static_cast<size_t>(left) * sizeof(T));
      if (right > left) __builtin_memcpy(to + left, from + at + left, static_cast<size_t>(right - left) * sizeof(T));
      if (n > right) __builtin_memset(to + right, 0, static_cast<size_t>(n - right) * sizeof(T));
      out[i] = to;
    };
    int64_t i = 0;
    for (; i < count && first + i * step < 0; ++i) cut(i);
    for (int64_t last = count - 1; last >= i && first + last * step + n > width; --last) cut(last);
  });
}

typedef uint8_t Bytes __attribute__((vector_size(kWidth)));
typedef int8_t SignedBytes __attribute__((vector_size(kWidth)));
template <class Narrow, class T>
inline Vec whole_numbers(const T* p) {
  Narrow codes;
  __builtin_memcpy(&codes, p, sizeof codes);
  return __builtin_convertvector(__builtin_convertvector(codes, VecI), Vec);
}
// The upper halves of float32 are these values; all are exact.
[[maybe_unused]] inline Pairs upper(const uint8_t* p) {
  return reinterpret_cast<Pairs>(whole_numbers<Bytes>(p));  // 16 zeros below: 8 bits of precision
}
[[maybe_unused]] inline Pairs upper(const int8_t* p) { return reinterpret_cast<Pairs>(whole_numbers<SignedBytes>(p)); }
[[maybe_unused]] inline Pairs lower(const uint8_t* p) { return upper(p) >> 16; }
[[maybe_unused]] inline Pairs lower(const int8_t* p) { return upper(p) >> 16; }
[[maybe_unused]] inline Pairs lower(const BFloat16* p) {
  VecH halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  return __builtin_convertvector(halves, Pairs);
}
[[maybe_unused]] inline Pairs upper(const BFloat16* p) { return lower(p) << 16; }
[[maybe_unused]] inline void store_pairs(BFloat16* p, Pairs v) { __builtin_memcpy(p, &v, sizeof v); }

/// kWidth values as bfloat16.
template <class T>
inline void put_values(const T* from, BFloat16* to) {
  const VecH halves = __builtin_convertvector(lower(from), VecH);
  __builtin_memcpy(to, &halves, sizeof halves);
}
[[maybe_unused]] inline void put_values(const BFloat16* from, BFloat16* to) {
  __builtin_memcpy(to, from, kWidth * sizeof *to);
}

/// Memory that whole vectors may not read beyond; what lies elsewhere has slack behind it.
template <class T>
struct Extent {
  const T* begin;
  const T* end;
  bool has(const T* from, int64_t n) const {
    const auto at = reinterpret_cast<uintptr_t>(from), last = reinterpret_cast<uintptr_t>(end);
    return at < reinterpret_cast<uintptr_t>(begin) || at >= last || last - at >= static_cast<uintptr_t>(n) * sizeof(T);
  }
};
template <class T>
inline Extent<T> extent_of(const Windows& s) {
  const T* x = static_cast<const T*>(s.x);
  return {x, x + s.batch * s.h * s.w * s.c};
}

/// n values as bfloat16, and whatever follows them up to whole vectors, which lie within kSlack of them.
template <class T>
inline void copy_run(const Extent<T>& extent, const T* from, int64_t n, BFloat16* to) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) put_values(from + i, to + i);
  if (i == n) return;
  if (extent.has(from + i, kWidth)) return put_values(from + i, to + i);
  T last[kWidth] = {};
  for (int64_t e = i; e < n; ++e) last[e - i] = from[e];
  put_values(last, to + i);
}

/// kWidth pairs of neighbours of two rows, of which n are read.
template <class T>
inline Pairs interleaved(const Extent<T>& extent, const T* first, const T* second, int64_t n) {
  if (n >= kWidth || (extent.has(first, kWidth) && extent.has(second, kWidth))) return lower(first) | upper(second);
  T rows[2][kWidth] = {};
  for (int64_t i = 0; i < n; ++i) rows[0][i] = first[i], rows[1][i] = second[i];
  return lower(rows[0]) | upper(rows[1]);
}

}  // namespace
}  // namespace ntq::bf16::NTQ_ISA
