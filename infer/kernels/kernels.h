#pragma once
// Convolutions of floats for the layers that have no integer form. Every sum is taken in one order, each product and
// each sum rounded on its own, so that every instruction set gives the same bits.
#include <stdint.h>
#include <string>

#include "base/integer/args.h"

namespace ntq::infer {

constexpr int64_t kFloatPanel = 16;  ///< output channels that weights have together

/// y = fl(fl(S * scale[c]) + shift[c]), S the sum from 0 over the taps inside, in the order of {Kh,Kw,Cin}. shape.in_c
/// and out_c are those in memory.
struct FloatConv {
  integer::ConvShape shape;
  int64_t channels;      ///< of in_c those that are read
  const float* x;        ///< {images, in_h, in_w, in_c}
  const float* weights;  ///< {panel, kernel_h, kernel_w, channels, kFloatPanel}, zeros beyond out_c
  const float* scale;    ///< {out_c rounded up to kPanel of base/integer}
  const float* shift;    ///< the same; by_taps: {runs of rows, runs of columns, the same}
  bool by_taps;
  float* y;  ///< {images, out_h, out_w, out_c}
};

struct Kernels {
  /// Output rows [row_begin, row_end) of images in one: row r is row r % out_h of image r / out_h.
  void (*float_conv)(const FloatConv& c, int64_t row_begin, int64_t row_end);
};

/// Those of an instruction set by its name; throws DeviceError as isa_index() does (base/isa.h).
const Kernels& kernels_of(const std::string& isa);
/// Those of chosen_isa(), the same for the whole process.
const Kernels& chosen_kernels();

}  // namespace ntq::infer

#ifdef NTQ_ISA
namespace ntq::infer::NTQ_ISA {
const Kernels& kernels();
}
#endif
