// Direct sums of floats: by the loops of codes, in which a float is a quad of bytes.
#include "base/integer/kernels/direct.h"
#include "base/integer/kernels/floats.h"
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

struct Fused : OneQuad {
  static constexpr bool kFloats = true;
  static constexpr int kPixels = kTile;
  static Ints dot(Ints acc, X x, W w) {
    return reinterpret_cast<Ints>(
        fused(reinterpret_cast<Floats>(x), reinterpret_cast<Floats>(w), reinterpret_cast<Floats>(acc)));
  }
};

}  // namespace

void float_conv(const FloatConv& c, const Part& part) {
  constexpr int64_t kBytes = sizeof(float);
  static_assert(kBytes == kQuad);
  Direct direct = {.shape = c.shape,
                   .quads = c.channels,
                   .x = reinterpret_cast<const uint8_t*>(c.x),
                   .first_image = 0,
                   .weights = reinterpret_cast<const int8_t*>(c.weights),
                   .start = nullptr,
                   .window_sums = nullptr,
                   .shift_by_taps = c.shift_by_taps,
                   .shorts = 0,
                   .epilogue = &c.epilogue,
                   .finish = finish_of(c.epilogue, SumsAre::floats, false)};
  direct.shape.in_c *= kBytes;
  conv_by<Fused>(direct, part);
}

}  // namespace ntq::integer::NTQ_ISA
