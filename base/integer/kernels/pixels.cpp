// Images and float32 activations between convolutions. Plain loops, which compilers make vectors of.
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {

void look_up(const uint8_t* image, int64_t pixels, int64_t channels, const uint8_t* tables, uint8_t* codes) {
  const int64_t filled = (channels + kQuad - 1) / kQuad * kQuad;
  for (int64_t i = 0; i < pixels; ++i, image += channels, codes += filled) {
    for (int64_t c = 0; c < channels; ++c) codes[c] = tables[c * 256 + image[c]];
    for (int64_t c = channels; c < filled; ++c) codes[c] = 0;
  }
}

void max_pool(const Pool& p, const float* x, int64_t row_begin, int64_t row_end, float* y) {
  const Axis rows = p.rows(), columns = p.columns();
  for (int64_t row = row_begin; row < row_end; ++row) {
    const int64_t i = row % p.out_h, first_row = first_tap(rows, i), last_row = last_tap(rows, i);
    const float* image = x + row / p.out_h * p.in_h * p.in_w * p.channels;
    for (int64_t j = 0; j < p.out_w; ++j) {
      float* out = y + (row * p.out_w + j) * p.channels;
      const int64_t first = first_tap(columns, j), last = last_tap(columns, j);
      for (int64_t c = 0; c < p.channels; ++c) out[c] = -__builtin_inff();
      for (int64_t kh = first_row; kh < last_row; ++kh) {
        for (int64_t kw = first; kw < last; ++kw) {
          const int64_t h = i * p.stride + kh - p.pad, w = j * p.stride + kw - p.pad;
          const float* in = image + (h * p.in_w + w) * p.channels;
          for (int64_t c = 0; c < p.channels; ++c) out[c] = in[c] > out[c] ? in[c] : out[c];
        }
      }
    }
  }
}

void average(const float* x, int64_t pixels, int64_t channels, float* y) {
  for (int64_t c = 0; c < channels; ++c) y[c] = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t c = 0; c < channels; ++c) y[c] += x[i * channels + c];
  }
  const float part = 1.0f / static_cast<float>(pixels);
  for (int64_t c = 0; c < channels; ++c) y[c] *= part;
}

}  // namespace ntq::integer::NTQ_ISA
