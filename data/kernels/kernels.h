#pragma once
// Kernels for rows of photographs, four bytes a pixel, of one instruction set; sums are rounded to the nearest, halves
// up. Every instruction set gives the same bits.
#include <cstdint>
#include <string>

namespace ntq::photo {

/// Weights of a resize are 14-bit integers: they sum to this, and the same bits come out on every instruction set.
constexpr int32_t kResampleOne = 1 << 14;

/// One row of a photograph resized: pixel i is the sum over `taps` of weight times source pixel begins[i] + tap of x,
/// which may run past the row's end by taps - 1 pixels of anything (their weights are 0). `taps` is a multiple of 4;
/// the weights are {pixels, taps / 4, 2, 4, 2}: of four taps the first two, for each of the four values of a pixel,
/// then the others.
struct ResampleRow {
  const uint8_t* x;
  const int32_t* begins;
  const int16_t* weights;
  int64_t taps, pixels;
};

struct Kernels {
  void (*resample_row)(const ResampleRow& r, uint8_t* y);
  /// y = sum of weights[k] rows[k]; n is a multiple of 16, taps are even (the last weight may be 0).
  void (*mix_rows)(const uint8_t* const* rows, const int16_t* weights, int64_t taps, int64_t n, uint8_t* y);
  /// n pixels {n,4} to floats {n,3}, from the last to the first where mirrored: value times scale[c], rounded, plus
  /// shift[c].
  void (*scale_row)(const float* scale, const float* shift, const uint8_t* x, int64_t n, bool mirror, float* y);
};

/// Those of an instruction set by its name; throws DeviceError as isa_index() does (base/isa.h).
const Kernels& kernels_of(const std::string& isa);
/// Those of chosen_isa(), the same for the whole process.
const Kernels& chosen_kernels();

}  // namespace ntq::photo

#ifdef NTQ_ISA
namespace ntq::photo::NTQ_ISA {
const Kernels& kernels();
}
#endif
