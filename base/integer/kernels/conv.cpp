// Direct sums of codes, by what is exact for their widths.
#include "base/integer/kernels/direct.h"
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

/// How often a pair of products, which vpmaddubsw adds, fits 16 bits.
int64_t shorts_of(const Conv& c) {
  const int64_t pair = 2 * int64_t{c.x_top} * c.w_top;
  return pair == 0 ? INT16_MAX : INT16_MAX / pair;
}

template <class Dot>
void sum_codes(const Conv& c, const Part& part) {
  conv_by<Dot>({.shape = c.shape,
                .quads = c.shape.in_c / kQuad,
                .x = c.x,
                .weights = c.weights,
                .start = c.start,
                .window_sums = c.window_sums,
                .shift_by_taps = c.shift_by_taps,
                .shorts = shorts_of(c),
                .epilogue = &c.epilogue,
                .finish = finish_of(c.epilogue, SumsAre::codes, c.window_sums != nullptr)},
               part);
}

}  // namespace

void conv(const Conv& c, const Part& part) {
#ifdef __AVX512VNNI__
  sum_codes<Vnni>(c, part);
#else
#ifdef __AVX2__
  constexpr int64_t kWorthIt = 4;  // sums in 16 bits before they are widened
  if (shorts_of(c) >= kWorthIt) return sum_codes<Shorts>(c, part);
  if (shorts_of(c) >= 1) return sum_codes<Bytes>(c, part);
#endif
  sum_codes<Widened>(c, part);
#endif
}

}  // namespace ntq::integer::NTQ_ISA
