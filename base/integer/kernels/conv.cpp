// Direct sums of codes, by what is exact for their widths.
#include "base/integer/kernels/direct.h"
#include "base/integer/kernels/kernels.h"
#include "base/integer/tight.h"

namespace ntq::integer::NTQ_ISA {
namespace {

/// How often a pair of products, which vpmaddubsw adds, fits 16 bits.
int64_t shorts_of(const Conv& c) {
  const int64_t pair = 2 * int64_t{c.x_top} * c.w_top;
  return pair == 0 ? INT16_MAX : INT16_MAX / pair;
}

Direct direct(const Conv& c) {
  return {.shape = c.shape,
          .quads = c.shape.in_c / kQuad,
          .x = c.x,
          .first_image = 0,
          .weights = c.weights,
          .start = c.start,
          .window_sums = c.window_sums,
          .shift_by_taps = c.shift_by_taps,
          .shorts = shorts_of(c),
          .epilogue = &c.epilogue,
          .finish = finish_of(c.epilogue, SumsAre::codes, c.window_sums != nullptr)};
}

void conv_by_widths(const Direct& d, const Part& part) {
#ifdef __AVX512VNNI__
  conv_by<Vnni>(d, part);
#else
#ifdef __AVX2__
  constexpr int64_t kWorthIt = 4;  // sums in 16 bits before they are widened
  if (d.shorts >= kWorthIt) return conv_by<Shorts>(d, part);
  if (d.shorts >= 1) return conv_by<Bytes>(d, part);
#endif
  conv_by<Widened>(d, part);
#endif
}

/// Pixels without their fourth byte; writes one byte more.
void tighten(const uint8_t* x, int64_t pixels, uint8_t* to) {
  int64_t j = 0;
#ifdef __AVX2__
  const __m128i order = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  for (; j + 6 <= pixels; j += 4) {  // sixteen bytes of 18 or more
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + j * kQuad));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + j * kTightChannels), _mm_shuffle_epi8(four, order));
  }
#endif
  for (; j < pixels; ++j) __builtin_memcpy(to + j * kTightChannels, x + j * kQuad, kQuad);
}

/// Rows [begin, end) of an image with its border.
void tighten_rows(const Conv& c, int64_t image, int64_t begin, int64_t end, uint8_t* to) {
  const ConvShape& s = c.shape;
  const int64_t pitch = tight_width(s) * kTightChannels, border = s.pad * kTightChannels;
  const auto fill = [&](uint8_t* first, int64_t size) { __builtin_memset(first, c.zero, static_cast<size_t>(size)); };
  for (int64_t i = begin; i < end; ++i) {
    uint8_t* row = to + i * pitch;
    if (i < s.pad || i >= s.pad + s.in_h) {
      fill(row, pitch);
      continue;
    }
    fill(row, border);
    tighten(c.x + (image * s.in_h + i - s.pad) * s.in_w * kQuad, s.in_w, row + border);
    fill(row + pitch - border, border);
  }
}

}  // namespace

void conv(const Conv& c, const Part& part) { conv_by_widths(direct(c), part); }

// The copy is an image whose pixels overlap: each is all of a row of taps.
void tight(const Conv& c, const Part& part, uint8_t* scratch) {
  const ConvShape& s = c.shape;
  Direct copy = direct(c);
  copy.x = scratch;
  copy.quads = tight_quads(s);
  copy.shape.in_h = tight_height(s), copy.shape.in_w = tight_width(s), copy.shape.in_c = kTightChannels;
  copy.shape.kernel_w = 1, copy.shape.pad = 0;
  Part one = part;
  for (int64_t n = part.image_begin; n < part.image_end; ++n) {
    tighten_rows(c, n, part.row_begin * s.stride, (part.row_end - 1) * s.stride + s.kernel_h, scratch);
    copy.first_image = one.image_begin = n;
    one.image_end = n + 1;
    conv_by_widths(copy, one);
  }
}

}  // namespace ntq::integer::NTQ_ISA
