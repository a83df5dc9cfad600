// Images and float32 activations between convolutions.
#include "base/integer/kernels/floats.h"
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

/// The taps of a window that are inside, from pixel x on.
struct Window {
  const float* x;
  int64_t rows, columns, row_pitch, channels;
};

/// The largest of N vectors of channels.
template <int N>
void largest(const Window& w, float* y) {
  Floats most[N];
  unrolled<N>([&](auto v) { most[v] = splat_float(-__builtin_inff()); });
  for (int64_t i = 0; i < w.rows; ++i) {
    const float* x = w.x + i * w.row_pitch;
    for (int64_t j = 0; j < w.columns; ++j, x += w.channels) {
      unrolled<N>([&](auto v) { most[v] = larger(load_floats(x + v * kInts), most[v]); });
    }
  }
  unrolled<N>([&](auto v) { store_floats(y + v * kInts, most[v]); });
}

}  // namespace

void look_up(const uint8_t* image, int64_t pixels, int64_t channels, const uint8_t* tables, uint8_t* codes) {
  const int64_t filled = (channels + kQuad - 1) / kQuad * kQuad;
  if (channels == 3) {  // one word a pixel
    const uint8_t *first = tables, *second = tables + 256, *third = tables + 512;
    for (int64_t i = 0; i < pixels; ++i, image += 3, codes += 4) {
      const uint32_t low = first[image[0]], middle = second[image[1]], high = third[image[2]];
      const uint32_t word = low | middle << 8 | high << 16;
      __builtin_memcpy(codes, &word, sizeof word);
    }
    return;
  }
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
      const Window all = {
          .x = image + ((i * p.stride + first_row - p.pad) * p.in_w + j * p.stride + first - p.pad) * p.channels,
          .rows = last_row - first_row,
          .columns = last - first,
          .row_pitch = p.in_w * p.channels,
          .channels = p.channels};
      constexpr int kMany = 4;
      int64_t c = 0;
      const auto at = [&] {
        Window w = all;
        w.x += c;
        return w;
      };
      for (; c + kMany * kInts <= p.channels; c += kMany * kInts) largest<kMany>(at(), out + c);
      for (; c + kInts <= p.channels; c += kInts) largest<1>(at(), out + c);
      for (; c < p.channels; ++c) {
        out[c] = -__builtin_inff();
        for (int64_t kh = 0; kh < all.rows; ++kh) {
          for (int64_t kw = 0; kw < all.columns; ++kw) {
            const float value = all.x[kh * all.row_pitch + kw * all.channels + c];
            out[c] = value > out[c] ? value : out[c];
          }
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
