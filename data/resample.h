#pragma once
// Bilinear resampling with antialiasing, as Pillow's resize(..., BILINEAR) has it, streaming: rows in, rows out.
#include <cstdint>
#include <vector>

namespace ntq {
namespace photo {
struct Kernels;
}

/// One axis of a resize: the part [begin, end) of the source, in pixels, becomes `size` pixels, of which [first, first
/// + count) are made. Nothing outside of the part is read; fractional ends weigh their pixel.
struct ResampleAxis {
  double begin = 0, end = 1;
  int64_t size = 1, first = 0, count = 1;
};

/// Weights of the source pixels begins[i], ... for pixel i made: weights[i * taps + k], in units of 2^-14 and with the
/// sum 2^14. Behind the last pixel that counts they are 0.
struct ResampleFilter {
  int64_t taps = 1;  ///< of the pixel that needs most
  std::vector<int32_t> begins, counts;
  std::vector<int16_t> weights;

  int64_t pixels() const { return static_cast<int64_t>(begins.size()); }
  int64_t begin() const { return begins.front(); }
  int64_t end() const { return begins.back() + counts.back(); }
};

/// A triangle filter, as wide as the scale where pixels get fewer, else of one pixel each side. Throws
/// std::invalid_argument for sizes below 1 and windows outside of them.
ResampleFilter bilinear_filter(const ResampleAxis& axis);

/// Rows {W,4} of bytes from the source in, in order; rows {count,4} out as they become complete. Rounds to bytes
/// between the two axes, as Pillow does; its weights have 22 bits where these have 14, so a value may differ by one.
class Resampler {
 public:
  Resampler(const ResampleAxis& horizontal, const ResampleAxis& vertical);

  /// What of the source is needed.
  int64_t first_row() const { return vertical_.begin(); }
  int64_t end_row() const { return vertical_.end(); }
  int64_t left() const { return horizontal_.begin(); }
  int64_t right() const { return horizontal_.end(); }

  /// Row `y` of the source, first_row() <= y < end_row(), each once and in order.
  void push(int64_t y, const uint8_t* rgbx);
  /// The next row that the rows so far complete; null when more are needed or all are out.
  const uint8_t* pop();

 private:
  const photo::Kernels& kernels_;
  ResampleFilter horizontal_, vertical_;
  // The horizontal filter in the kernel's layout; begins are relative to left().
  int64_t row_taps_ = 4;
  std::vector<int32_t> row_begins_;
  std::vector<int16_t> row_weights_;

  int64_t width_ = 0;                  // bytes of a resized row, padded to a multiple of 16
  std::vector<uint8_t> line_;          // the source row and room behind it
  std::vector<uint8_t> ring_;          // resized rows {vertical taps, width}, y in slot y % taps
  std::vector<const uint8_t*> mixed_;  // the rows of the ring that make one row out
  std::vector<int16_t> mix_weights_;
  std::vector<uint8_t> out_;
  int64_t pushed_ = 0, popped_ = 0;  // rows up to here are in the ring, and out
};

}  // namespace ntq
