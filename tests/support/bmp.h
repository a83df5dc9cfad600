#pragma once
// BMP files of pixels: the same bytes in a decoder's result as here.
#include <cstdint>
#include <span>

#include "tests/support/files.h"

namespace ntq::test {

/// Of pixels {height,width,3}, from the top.
inline Bytes bmp_of(std::span<const uint8_t> rgb, int64_t height, int64_t width) {
  const int64_t stride = (3 * width + 3) / 4 * 4;
  Bytes out = {'B', 'M'};
  const auto word = [&](int64_t value, int bytes = 4) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  word(54 + stride * height), word(0), word(54);                 // file: size, reserved, where the pixels are
  word(40), word(width), word(height), word(1, 2), word(24, 2);  // 24 bits a pixel
  word(0), word(stride * height), word(2835), word(2835), word(0), word(0);
  for (int64_t y = height - 1; y >= 0; --y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 2; c >= 0; --c) out.push_back(rgb[static_cast<size_t>((y * width + x) * 3 + c)]);
    }
    word(0, static_cast<int>(stride - 3 * width));
  }
  return out;
}

}  // namespace ntq::test
