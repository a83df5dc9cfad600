#pragma once
// The kernels of one instruction set. Serial, without state, and they allocate nothing: a caller splits the
// work and lends each thread its scratch.
#include <string>

#include "base/integer/args.h"

namespace ntq::integer {

struct Kernels {
  const char* name;
  /// Direct sums, taps outside the input skipped. Weights of pack_direct().
  void (*conv)(const Conv& c, const Part& part);
  /// The same sums of an image's copy (base/integer/tight.h). Weights of pack_tight(); scratch of tight_scratch()
  /// bytes.
  void (*tight)(const Conv& c, const Part& part, uint8_t* scratch);
  /// The same sums by F(2x2,3x3) on codes. Weights of pack_winograd(); scratch of winograd_scratch() bytes, from a
  /// 64-byte boundary on.
  void (*winograd)(const Conv& c, const Part& part, uint8_t* scratch);
  void (*float_conv)(const FloatConv& c, const Part& part);
  /// For the output rows [row_begin, row_end) of images in one, as max_pool has them; scratch of window_scratch().
  void (*window_sums)(const WindowSums& w, int64_t row_begin, int64_t row_end, int32_t* scratch);
  /// The epilogue alone, of float32 {pixels, channels}: quantization, an affine map, an addition, a ReLU. Scale and
  /// shift may both be null, and need no rounding up; `y` may be `x`.
  void (*pointwise)(const float* x, int64_t pixels, int64_t channels, const Epilogue& e);
  /// Bytes of images {pixels, channels} to codes {pixels, channels rounded up to kQuad} by tables {channels, 256}.
  void (*look_up)(const uint8_t* image, int64_t pixels, int64_t channels, const uint8_t* tables, uint8_t* codes);
  /// The largest value of each window inside the input, for the output rows [row_begin, row_end) of images in one: row
  /// r is row r % out_h of image r / out_h. Every window meets the input; a value that is no number loses.
  void (*max_pool)(const Pool& p, const float* x, int64_t row_begin, int64_t row_end, float* y);
  /// y[c] = fl(1 / pixels) times the float32 sum over an image {pixels, channels} in the pixels' order.
  void (*average)(const float* x, int64_t pixels, int64_t channels, float* y);
};

/// Those of an instruction set by its name; throws DeviceError as isa_index() does (base/isa.h).
const Kernels& kernels_of(const std::string& isa);
/// Those of chosen_isa(IsaList::integers), the same for the whole process.
const Kernels& chosen_kernels();

}  // namespace ntq::integer

#ifdef NTQ_ISA
namespace ntq::integer::NTQ_ISA {
const Kernels& kernels();
// The functions of the sources beside table.cpp.
void conv(const Conv& c, const Part& part);
void tight(const Conv& c, const Part& part, uint8_t* scratch);
void winograd(const Conv& c, const Part& part, uint8_t* scratch);
void float_conv(const FloatConv& c, const Part& part);
void window_sums(const WindowSums& w, int64_t row_begin, int64_t row_end, int32_t* scratch);
void pointwise(const float* x, int64_t pixels, int64_t channels, const Epilogue& e);
void look_up(const uint8_t* image, int64_t pixels, int64_t channels, const uint8_t* tables, uint8_t* codes);
void max_pool(const Pool& p, const float* x, int64_t row_begin, int64_t row_end, float* y);
void average(const float* x, int64_t pixels, int64_t channels, float* y);
}  // namespace ntq::integer::NTQ_ISA
#endif
