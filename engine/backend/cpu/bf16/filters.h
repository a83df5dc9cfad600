#pragma once
// Filters as products of bfloat16 read them: rounded once, in panels of output channels; Winograd's transformed first.
// And what such products see of images, which says how.
#include <vector>

#include "engine/backend/cpu/bf16/kernels/kernels.h"
#include "engine/backend/cpu/conv_plan.h"

namespace ntq::bf16 {

/// Numbers of the packed filters of a forward pass or a data gradient.
int64_t packed_filters(const Kernels& k, const cpu::ConvPlan& plan, ConvPass pass);
/// Packs scale * w.
void pack_filters(const Kernels& k, const cpu::ConvPlan& plan, ConvPass pass, const float* w, float scale,
                  BFloat16* packed);

/// The taps that input pixels of a class, one of stride x stride, see along one axis: the first of them in the order of
/// the output pixels, how many, and that pixel relative to the class's.
struct ClassTaps {
  int64_t first = 0, count = 0, offset = 0;
};
/// Pixels of a data gradient, stride apart, that see the same taps: a product with packed filters of its own.
struct PixelClass {
  int64_t h, w;  ///< its first pixel
  ClassTaps down, along;
};
std::vector<PixelClass> pixel_classes(const ConvGeometry& g);

/// What a forward pass and a filter gradient see of x, and a class of pixels of dy.
Windows windows_of(const cpu::ConvPlan& plan, ConstView x);
Windows windows_of(const ConvGeometry& g, const PixelClass& of, ConstView dy);
/// Of direct products, in their panels.
int64_t packed_filters(const Kernels& k, const Windows& x, int64_t channels);

}  // namespace ntq::bf16
