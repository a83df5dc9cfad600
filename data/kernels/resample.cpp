// Rows of photographs, four bytes a pixel: weighted sums along a row and across rows, in integers; bytes to floats.
#include "data/kernels/kernels.h"

#include <type_traits>

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace ntq::photo::NTQ_ISA {
namespace {

constexpr int kShift = 14;
static_assert(1 << kShift == kResampleOne);

#ifdef __AVX2__

/// Sums of one pixel's four channels over 4 `steps` taps, in two halves that the caller adds up.
inline __m256i weigh_pixel(const uint8_t* x, const __m256i* w, int64_t steps) {
  // Each value beside its neighbour's, widened with zeros, so that one instruction multiplies and adds both.
  const __m256i order = _mm256_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1,  //
                                         8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1);
  const auto products = [&](int64_t k) {
    const __m256i four = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + 16 * k)));
    return _mm256_madd_epi16(_mm256_shuffle_epi8(four, order), _mm256_loadu_si256(w + k));
  };
  __m256i sum = products(0);
  for (int64_t k = 1; k < steps; ++k) sum = _mm256_add_epi32(sum, products(k));
  return sum;
}

/// The halves of two pixels, added up: a's sums, then b's.
inline __m256i add_halves(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

/// `steps` is a constant (std::integral_constant) for the usual numbers of taps: no loop is left.
template <class Steps>
inline void resample_row_of(const ResampleRow& r, Steps steps, uint8_t* y) {
  const __m256i half = _mm256_set1_epi32(kResampleOne / 2);
  const auto* w = reinterpret_cast<const __m256i*>(r.weights);
  const auto pixel = [&](int64_t i) { return weigh_pixel(r.x + 4 * int64_t{r.begins[i]}, w + i * steps, steps); };
  const auto finish = [half](__m256i sums) { return _mm256_srai_epi32(_mm256_add_epi32(sums, half), kShift); };
  int64_t i = 0;
  for (; i + 4 <= r.pixels; i += 4) {
    const __m256i ab = finish(add_halves(pixel(i), pixel(i + 1)));
    const __m256i cd = finish(add_halves(pixel(i + 2), pixel(i + 3)));
    // The packs work within halves: a c a c | b d b d.
    const __m256i words = _mm256_packs_epi32(ab, cd);
    const __m256i bytes = _mm256_packus_epi16(words, words);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + 4 * i),
                     _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
  }
  for (; i < r.pixels; ++i) {
    const __m256i a = pixel(i);
    const __m128i sums = _mm256_castsi256_si128(finish(add_halves(a, a)));
    const __m128i words = _mm_packs_epi32(sums, sums);
    const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    __builtin_memcpy(y + 4 * i, &bytes, sizeof bytes);
  }
}

void resample_row(const ResampleRow& r, uint8_t* y) {
  if (r.taps == 4) return resample_row_of(r, std::integral_constant<int64_t, 1>{}, y);
  if (r.taps == 8) return resample_row_of(r, std::integral_constant<int64_t, 2>{}, y);
  resample_row_of(r, r.taps / 4, y);
}

void mix_rows(const uint8_t* const* rows, const int16_t* weights, int64_t taps, int64_t n, uint8_t* y) {
  const __m256i half = _mm256_set1_epi32(kResampleOne / 2);
  for (int64_t i = 0; i < n; i += 16) {
    __m256i low = half, high = half;
    for (int64_t k = 0; k < taps; k += 2) {
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[k] + i));
      const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[k + 1] + i));
      int32_t pair;
      __builtin_memcpy(&pair, weights + k, sizeof pair);
      const __m256i w = _mm256_set1_epi32(pair);
      low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)), w));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)), w));
    }
    // packs works within halves: 0-3 8-11 | 4-7 12-15.
    const __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(low, kShift), _mm256_srai_epi32(high, kShift));
    const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i), bytes);
  }
}

/// Four pixels: their colours in the order asked for, without the fourth bytes.
inline void scale_four(const float* a, const float* b, const uint8_t* x, __m128i order, float* y) {
  // Twelve values are a vector and a half, and red, green, blue goes on across them.
  const __m256 scale = _mm256_setr_ps(a[0], a[1], a[2], a[0], a[1], a[2], a[0], a[1]);
  const __m256 shift = _mm256_setr_ps(b[0], b[1], b[2], b[0], b[1], b[2], b[0], b[1]);
  const __m128 scale_end = _mm_setr_ps(a[2], a[0], a[1], a[2]), shift_end = _mm_setr_ps(b[2], b[0], b[1], b[2]);
  const __m128i bytes = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)), order);
  const __m256 eight = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
  const __m128 four = _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_srli_si128(bytes, 8)));
  _mm256_storeu_ps(y, _mm256_add_ps(_mm256_mul_ps(eight, scale), shift));
  _mm_storeu_ps(y + 8, _mm_add_ps(_mm_mul_ps(four, scale_end), shift_end));
}

#endif

#ifndef __AVX2__

void resample_row(const ResampleRow& r, uint8_t* y) {
  const int16_t* w = r.weights;
  for (int64_t i = 0; i < r.pixels; ++i, w += 4 * r.taps) {
    const uint8_t* x = r.x + 4 * int64_t{r.begins[i]};
    for (int64_t c = 0; c < 4; ++c) {
      int32_t sum = kResampleOne / 2;
      for (int64_t k = 0; k < r.taps; ++k) sum += w[k / 2 * 8 + c * 2 + k % 2] * x[4 * k + c];
      y[4 * i + c] = static_cast<uint8_t>(sum >> kShift);
    }
  }
}

void mix_rows(const uint8_t* const* rows, const int16_t* weights, int64_t taps, int64_t n, uint8_t* y) {
  for (int64_t i = 0; i < n; ++i) {
    int32_t sum = kResampleOne / 2;
    for (int64_t k = 0; k < taps; ++k) sum += weights[k] * rows[k][i];
    y[i] = static_cast<uint8_t>(sum >> kShift);
  }
}

#endif

void scale_row(const float* scale, const float* shift, const uint8_t* x, int64_t n, bool mirror, float* y) {
  int64_t i = 0;
#ifdef __AVX2__
  const __m128i forwards = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  const __m128i backwards = _mm_setr_epi8(12, 13, 14, 8, 9, 10, 4, 5, 6, 0, 1, 2, -1, -1, -1, -1);
  for (; i + 4 <= n; i += 4)
    scale_four(scale, shift, x + 4 * (mirror ? n - 4 - i : i), mirror ? backwards : forwards, y + 3 * i);
#endif
  for (; i < n; ++i) {
    const uint8_t* pixel = x + 4 * (mirror ? n - 1 - i : i);
    for (int64_t c = 0; c < 3; ++c) y[3 * i + c] = static_cast<float>(pixel[c]) * scale[c] + shift[c];
  }
}

}  // namespace

const Kernels& kernels() {
  static constexpr Kernels table = {resample_row, mix_rows, scale_row};
  return table;
}

}  // namespace ntq::photo::NTQ_ISA
