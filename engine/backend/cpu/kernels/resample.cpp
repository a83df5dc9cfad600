// Rows of photographs, four bytes a pixel: weighted sums along a row and across rows, in integers.
#include "engine/backend/cpu/kernels/kernels.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int kShift = 14;
static_assert(1 << kShift == kResampleOne);

#ifdef __AVX2__

/// Values of a pixel next to those of its neighbour, so that one instruction multiplies and adds both.
inline __m256i beside_neighbours(__m256i pixels) {
  const __m256i order = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11,
                                         4, 5, 12, 13, 6, 7, 14, 15);
  return _mm256_shuffle_epi8(pixels, order);
}

void resample_row(const ResampleRow& r, uint8_t* y) {
  const __m128i half = _mm_set1_epi32(kResampleOne / 2);
  const auto* w = reinterpret_cast<const __m256i*>(r.weights);
  for (int64_t i = 0; i < r.pixels; ++i) {
    const uint8_t* x = r.x + 4 * int64_t{r.begins[i]};
    __m256i sum = _mm256_setzero_si256();
    for (int64_t k = 0; k < r.taps; k += 4, ++w) {
      const __m256i four = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + 4 * k)));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(beside_neighbours(four), _mm256_loadu_si256(w)));
    }
    __m128i one = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    one = _mm_srai_epi32(_mm_add_epi32(one, half), kShift);
    one = _mm_packus_epi16(_mm_packs_epi32(one, one), one);
    const int32_t bytes = _mm_cvtsi128_si32(one);
    __builtin_memcpy(y + 4 * i, &bytes, sizeof bytes);
  }
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

#else

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

}  // namespace

void fill_resample(Kernels& table) {
  table.resample_row = resample_row;
  table.mix_rows = mix_rows;
}

}  // namespace ntq::cpu::NTQ_ISA
