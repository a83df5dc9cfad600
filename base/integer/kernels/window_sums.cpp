// Sums of codes over windows: those of each pixel's channels, added along columns, then along rows.
#include "base/integer/kernels/dot.h"
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

int32_t sum_of_bytes(const uint8_t* x, int64_t n) {
  int32_t sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += x[k];
  return sum;
}

/// One word a pixel, of which `mask` has the channels that count.
void sum_words(const uint8_t* x, int64_t pixels, uint32_t mask, int32_t less, int32_t* sums) {
  for (int64_t j = 0; j < pixels; ++j) {
    const uint32_t word = static_cast<uint32_t>(word_at(x + j * kQuad)) & mask;
    const uint32_t pairs = (word & 0x00ff00ff) + (word >> 8 & 0x00ff00ff);
    sums[j] = static_cast<int32_t>((pairs & 0xffff) + (pairs >> 16)) - less;
  }
}

#ifdef __SSE2__
/// Four pixels at a time, whose channels are whole sixteens; how many pixels that were.
int64_t sum_sixteens(const uint8_t* x, int64_t pixels, int64_t channels, int32_t less, int32_t* sums) {
  const __m128i none = _mm_setzero_si128();
  int64_t j = 0;
  for (; j + 4 <= pixels; j += 4) {
    __m128i of[4] = {none, none, none, none};  // two sums each
    for (int64_t k = 0; k < channels; k += 16) {
      unrolled<4>([&](auto p) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + (j + p) * channels + k));
        of[p] = _mm_add_epi32(of[p], _mm_sad_epu8(bytes, none));
      });
    }
    const __m128i low = _mm_add_epi32(_mm_unpacklo_epi32(of[0], of[1]), _mm_unpackhi_epi32(of[0], of[1]));
    const __m128i high = _mm_add_epi32(_mm_unpacklo_epi32(of[2], of[3]), _mm_unpackhi_epi32(of[2], of[3]));
    const __m128i four = _mm_sub_epi32(_mm_unpacklo_epi64(low, high), _mm_set1_epi32(less));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + j), four);
  }
  return j;
}
#endif

/// A row's pixels, each less what zeros sum to.
void sum_pixels(const WindowSums& w, const uint8_t* x, int32_t* sums) {
  const int64_t pixels = w.shape.in_w, stored = w.shape.in_c;
  const int32_t less = static_cast<int32_t>(w.channels) * w.zero;
  if (stored == kQuad) return sum_words(x, pixels, ~uint32_t{0} >> (8 * (kQuad - w.channels)), less, sums);
  int64_t j = 0;
#ifdef __SSE2__
  if (stored % 16 == 0 && stored == w.channels) j = sum_sixteens(x, pixels, stored, less, sums);
#endif
  for (; j < pixels; ++j) sums[j] = sum_of_bytes(x + j * stored, w.channels) - less;
}

/// out[j] = times * (from[j] + from[j + 1] + ...) of `count` numbers.
void slide(const int32_t* from, int64_t count, int32_t times, int64_t size, int32_t* out) {
  int64_t j = 0;
  for (; j + kInts <= size; j += kInts) {
    Ints sum = load(from + j);
    for (int64_t k = 1; k < count; ++k) sum += load(from + j + k);
    store(out + j, sum * times);
  }
  for (; j < size; ++j) {
    int32_t sum = 0;
    for (int64_t k = 0; k < count; ++k) sum += from[j + k];
    out[j] = sum * times;
  }
}

/// out[j] = from[j] + from[j + pitch] + ... of `count` rows.
void add_rows(const int32_t* from, int64_t pitch, int64_t count, int64_t size, int32_t* out) {
  int64_t j = 0;
  for (; j + kInts <= size; j += kInts) {
    Ints sum = Ints{};
    for (int64_t k = 0; k < count; ++k) sum += load(from + k * pitch + j);
    store(out + j, sum);
  }
  for (; j < size; ++j) {
    out[j] = 0;
    for (int64_t k = 0; k < count; ++k) out[j] += from[k * pitch + j];
  }
}

}  // namespace

void window_sums(const WindowSums& w, int64_t row_begin, int64_t row_end, int32_t* scratch) {
  const ConvShape& s = w.shape;
  const int64_t width = s.in_w + 2 * s.pad;
  int32_t *const padded = scratch, *const column_sums = padded + s.pad;  // 0 outside
  int32_t* const pixel_sums = padded + width;  // of the rows that a window meets, row h at (h + pad) % kernel_h
  for (int64_t j = 0; j < width; ++j) padded[j] = 0;
  int64_t image = -1, next = 0;
  for (int64_t row = row_begin; row < row_end; ++row) {
    const int64_t top = row % s.out_h * s.stride - s.pad;
    if (row / s.out_h != image || next < top) image = row / s.out_h, next = top;
    for (; next < top + s.kernel_h; ++next) {
      int32_t* to = pixel_sums + (next + s.pad) % s.kernel_h * s.in_w;
      if (next >= 0 && next < s.in_h) {
        sum_pixels(w, w.x + (image * s.in_h + next) * s.in_w * s.in_c, to);
      } else {
        for (int64_t j = 0; j < s.in_w; ++j) to[j] = 0;
      }
    }
    add_rows(pixel_sums, s.in_w, s.kernel_h, s.in_w, column_sums);
    int32_t* out = w.sums + row * s.out_w;
    if (s.stride == 1) {
      slide(padded, s.kernel_w, w.times, s.out_w, out);
    } else {
      for (int64_t j = 0; j < s.out_w; ++j) slide(padded + j * s.stride, s.kernel_w, w.times, 1, out + j);
    }
  }
}

}  // namespace ntq::integer::NTQ_ISA
