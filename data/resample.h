#pragma once
// Bilinear resampling with antialiasing, as Pillow's resize(..., BILINEAR) has it, streaming: rows in, rows out.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ntq {
namespace cpu {
struct Kernels;
}

/// One axis of a resize: the part [begin, end) of the source, in pixels, becomes `size` pixels, of which [first, first
/// + count) are made. Nothing outside of the part is read; fractional ends weigh their pixel.
struct ResampleAxis {
  double begin = 0, end = 1;
  int64_t size = 1, first = 0, count = 1;
};

/// Weights of source pixels [begin, begin + weights.size()) for one pixel made; their sum is 1.
struct Taps {
  int64_t begin = 0;
  std::vector<float> weights;
};

/// A triangle filter, as wide as the scale where pixels get fewer, else of one pixel each side. Throws
/// std::invalid_argument for sizes below 1 and windows outside of them.
std::vector<Taps> bilinear_taps(const ResampleAxis& axis);

/// Rows {W,4} of bytes from the source in, in order; rows {count,4} out as they become complete. Rounds to bytes
/// between the two axes, as Pillow does.
class Resampler {
 public:
  Resampler(const ResampleAxis& horizontal, const ResampleAxis& vertical);

  /// What of the source is needed.
  int64_t first_row() const { return rows_.front().begin; }
  int64_t end_row() const { return end(rows_); }
  int64_t left() const { return columns_.front().begin; }
  int64_t right() const { return end(columns_); }

  /// Row `y` of the source, first_row() <= y < end_row(), each once and in order.
  void push(int64_t y, const uint8_t* rgbx);
  /// The next row that the rows so far complete; null when more are needed or all are out.
  const uint8_t* pop();

 private:
  static int64_t end(const std::vector<Taps>& all);

  const cpu::Kernels& kernels_;
  std::vector<Taps> columns_, rows_;
  // columns_ as the kernel wants them: an even number of taps each, missing ones of weight 0.
  std::vector<int64_t> begins_;
  std::vector<float> weights_;  // {pixels, taps, 4}
  int64_t pixels_ = 0, taps_ = 1;

  int64_t slots_ = 1, width_ = 0;    // of the ring; values of one of its rows, padded to a multiple of 8
  std::vector<float> line_;          // the source row
  std::vector<float> ring_;          // resized rows {slots, width}, y in slot y % slots
  std::vector<const float*> mixed_;  // the rows of the ring that make one row out
  std::vector<uint8_t> out_;
  int64_t pushed_ = 0;  // rows up to here are in the ring
  size_t popped_ = 0;
};

}  // namespace ntq
