#pragma once
// What the integer kernels compute, and on what. Activations are {images, height, width, channels}: float32, or codes
// of one byte. Every channel count is the one in memory, a multiple of kQuad; channels that fill it up have no meaning.
//
// Every result is the same to the bit on every instruction set: sums of codes are exact in int32, and float32 is single
// operations in the order given here, each rounded to nearest even.
#include <stdint.h>

#include "base/integer/taps.h"

namespace ntq::integer {

constexpr int64_t kPanel = 32;  ///< output channels that packed weights have together
constexpr int64_t kQuad = 4;    ///< input channels that they have together

/// How float32 x becomes a code: clamp(round_even(x / step), low, high), and `low` where x is not a number; and its
/// byte, code + zero.
struct CodeGrid {
  float step = 1;
  int32_t low = 0, high = 255;  ///< of the code
  int32_t zero = 0;             ///< the byte of code 0; 0 <= low + zero, high + zero <= 255
};

/// What becomes of a value v, in this order: y = fl(fl(v * scale[c]) + shift[c]) without fused multiply-add; y =
/// fl(code of `before` * step); y = fl(y + skip); y = y > 0 ? y : 0; y = fl(code of `after` * step); then y, its codes
/// or both are stored.
struct Epilogue {
  const float* scale = nullptr;      ///< {out_c rounded up to kPanel}
  const float* shift = nullptr;      ///< the same
  const CodeGrid* before = nullptr;  ///< null: y stays as it is
  const float* skip = nullptr;       ///< shaped as the output; null: no addition
  bool relu = false;
  const CodeGrid* after = nullptr;  ///< as before
  float* y = nullptr;               ///< null: not stored
  uint8_t* codes = nullptr;         ///< null: not stored
  CodeGrid grid = {};               ///< of codes
  uint16_t* halves = nullptr;       ///< not null: y as bfloat16, to nearest even, and nothing behind the shift
};

struct ConvShape {
  int64_t in_h, in_w, in_c, out_h, out_w, out_c, kernel_h, kernel_w, stride = 1, pad = 0;
  Axis rows() const { return {in_h, out_h, kernel_h, stride, pad}; }
  Axis columns() const { return {in_w, out_w, kernel_w, stride, pad}; }
};

/// Sums of codes, v = sum over the taps inside the input and over channels of (x - zero) * w, exact in int32, and the
/// epilogue. A linear layer is a convolution of a 1x1 input by 1x1.
struct Conv {
  ConvShape shape;
  const uint8_t* x;
  const int8_t* weights;  ///< packed, from a 64-byte boundary on (base/integer/pack.h)
  /// What is added to v where the bytes of x have a zero other than 0: -zero times the sum of the weights at the taps
  /// inside, {runs of rows, runs of columns, out_c rounded up to kPanel}. Else null. Winograd always has its own.
  const int32_t* start = nullptr;
  int32_t zero = 0;      ///< of x
  int32_t x_top, w_top;  ///< bounds of the bytes of x and of |w|: they decide which instructions are exact
  bool shift_by_taps =
      false;  ///< epilogue.shift is {runs of rows, runs of columns, ...}: one for each set of taps inside
  /// {images, out_h, out_w}: a value is then 2 v + this one of its pixel. See WindowSums. Null: v.
  const int32_t* window_sums = nullptr;
  Epilogue epilogue = {};
};

/// Sums of floats over the taps inside the input, from 0 in the order of {kernel_h, kernel_w, channels}: each product
/// is added in one rounding, v = fma(x, w, v). Then the epilogue.
struct FloatConv {
  ConvShape shape;
  int64_t channels;  ///< of in_c those that are read
  const float* x;
  const float* weights;  ///< packed, from a 64-byte boundary on (base/integer/pack.h)
  bool shift_by_taps = false;
  Epilogue epilogue = {};
};

/// What a convolution's weights have in common, k + times / 2 of them all: sums[pixel] = times * sum over the taps
/// inside the input, and over the first `channels` channels, of (x - zero).
struct WindowSums {
  ConvShape shape;
  int64_t channels;  ///< without those that fill up
  const uint8_t* x;
  int32_t zero, times;
  int32_t* sums;  ///< {images, out_h, out_w}
};

/// A share of a convolution's work: the output rows [row_begin, row_end) of the images [image_begin, image_end), and of
/// their channels those of the panels [panel_begin, panel_end). Winograd's rows come in pairs: row_begin is even, and
/// so is row_end or it is out_h.
struct Part {
  int64_t image_begin, image_end, row_begin, row_end, panel_begin, panel_end;
  bool empty() const { return image_begin >= image_end || row_begin >= row_end || panel_begin >= panel_end; }
};

struct Pool {
  int64_t in_h, in_w, out_h, out_w, channels, kernel, stride, pad;
  Axis rows() const { return {in_h, out_h, kernel, stride, pad}; }
  Axis columns() const { return {in_w, out_w, kernel, stride, pad}; }
};

}  // namespace ntq::integer
