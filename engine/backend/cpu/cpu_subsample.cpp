// Subsampled pixels with channels around: copies, lines of pixels shared out among the threads.
#include <algorithm>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {

void CpuBackend::subsample(const SubsampleGeometry& g, ConstView input, View output) {
  const float* const x = values(input, g.in_size());
  float* const y = values(output, g.out_size());
  parallel_for(g.batch * g.out_h(), g.out_w() * g.out_c(), [&](int64_t line) {
    const float* from = x + (line / g.out_h() * g.in_h + line % g.out_h() * g.stride) * g.in_w * g.in_c;
    float* to = y + line * g.out_w() * g.out_c();
    for (int64_t j = 0; j < g.out_w(); ++j, from += g.stride * g.in_c) {
      to = std::fill_n(to, g.extra, 0.0f);
      to = std::copy_n(from, g.in_c, to);
      to = std::fill_n(to, g.extra, 0.0f);
    }
  });
}

void CpuBackend::subsample_grad(const SubsampleGeometry& g, ConstView d_output, View d_input) {
  const float* const dy = values(d_output, g.out_size());
  float* const dx = values(d_input, g.in_size());
  parallel_for(g.batch * g.in_h, g.in_w * g.in_c, [&](int64_t line) {
    const int64_t image = line / g.in_h, h = line % g.in_h;
    float* const to = dx + line * g.in_w * g.in_c;
    std::fill_n(to, g.in_w * g.in_c, 0.0f);
    if (h % g.stride != 0) return;
    const float* from = dy + (image * g.out_h() + h / g.stride) * g.out_w() * g.out_c() + g.extra;
    for (int64_t j = 0; j < g.out_w(); ++j, from += g.out_c()) std::copy_n(from, g.in_c, to + j * g.stride * g.in_c);
  });
}

}  // namespace ntq::cpu
