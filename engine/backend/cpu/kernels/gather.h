#pragma once
// Row pointers of a gathered product: for each tap, where the source pixel of each row lies, or zeros outside.
#include <stdint.h>

#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

/// Sizes that gathering needs, of either product.
struct Source {
  const float* x;
  int64_t x_h, x_w, x_pitch;
  int64_t grid_h, grid_w, x_step;
  const float* zeros;
};

template <class Product>
inline Source source_of(const Product& p) {
  return {p.x, p.x_h, p.x_w, p.x_pitch, p.grid_h, p.grid_w, p.x_step, p.zeros};
}

/// pointers[r - begin] for rows [begin, end) of one tap; image rows are filled as runs.
[[maybe_unused]] inline void gather_rows(const Source& s, const Tap& tap, int64_t begin, int64_t end,
                                         const float** pointers) {
  for (int64_t row = begin; row < end;) {
    const int64_t j0 = row % s.grid_w, line = row / s.grid_w;
    const int64_t image = line / s.grid_h, ih = line % s.grid_h * s.x_step + tap.dh;
    const int64_t run = s.grid_w - j0 < end - row ? s.grid_w - j0 : end - row;
    const float** out = pointers + (row - begin);
    if (ih < 0 || ih >= s.x_h) {
      for (int64_t i = 0; i < run; ++i) out[i] = s.zeros;
    } else {
      const int64_t w0 = j0 * s.x_step + tap.dw;
      const float* p = s.x + ((image * s.x_h + ih) * s.x_w + w0) * s.x_pitch;
      for (int64_t i = 0; i < run; ++i) out[i] = p + i * s.x_step * s.x_pitch;
      for (int64_t i = 0; i < run && w0 + i * s.x_step < 0; ++i) out[i] = s.zeros;
      for (int64_t i = run; i-- > 0 && w0 + i * s.x_step >= s.x_w;) out[i] = s.zeros;
    }
    row += run;
  }
}

}  // namespace
}  // namespace ntq::cpu::NTQ_ISA
