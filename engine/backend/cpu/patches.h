#pragma once
// Data gradients of convolutions of few input channels, where a product that gives them would fill a small part of a
// vector: the gradients of the patches that output pixels see, added up.
#include <algorithm>

#include "base/ceil_div.h"
#include "engine/backend/backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/seen_by.h"

namespace ntq::cpu {

/// of_line(i, patches) writes the gradients {OW, KH*KW*C} of the patches that line i of {N*OH} output lines sees;
/// store(at, sums, n) takes n values of dx from `at` on. Bands of lines of an image are tasks, and may ask for the same
/// line; each value is summed in the order of output pixels.
template <class OfLine, class Store>
void add_up_patches(Backend& backend, const ConvGeometry& g, const OfLine& of_line, const Store& store) {
  const int64_t tap_line = g.kernel_w * g.in_c, patch = g.kernel_h * tap_line, width = g.in_w * g.in_c;
  const int64_t most = std::max<int64_t>(1, g.in_h / 16),
                bands = std::min(most, ceil_div(16, std::max<int64_t>(1, g.batch)));
  const int64_t band_lines = ceil_div(g.in_h, bands);
  parallel_for(g.batch * bands, [&](int64_t task) {
    const int64_t image = task / bands, begin = std::min(g.in_h, task % bands * band_lines);
    const int64_t end = std::min(g.in_h, begin + band_lines);
    if (begin == end) return;
    const Scratch patches(backend, g.out_w * patch), sums(backend, (end - begin) * width);
    std::fill(sums.data(), sums.data() + (end - begin) * width, 0.0f);
    const Places lines = seen_by({g.kernel_h, g.stride, g.pad, g.out_h}, {begin, end});
    for (int64_t i = lines.begin; i < lines.end; ++i) {
      of_line(image * g.out_h + i, patches.data());
      const int64_t h0 = i * g.stride - g.pad;
      const int64_t top = std::max<int64_t>(0, begin - h0), bottom = std::min(g.kernel_h, end - h0);
      for (int64_t j = 0; j < g.out_w; ++j) {
        const int64_t first = (j * g.stride - g.pad) * g.in_c;
        const int64_t left = std::max<int64_t>(0, -first), right = std::min(tap_line, width - first);
        for (int64_t kh = top; kh < bottom; ++kh) {
          const float* const from = patches.data() + j * patch + kh * tap_line;
          float* const to = sums.data() + (h0 + kh - begin) * width + first;
          for (int64_t c = left; c < right; ++c) to[c] += from[c];
        }
      }
    }
    store((image * g.in_h + begin) * width, sums.data(), (end - begin) * width);
  });
}

}  // namespace ntq::cpu
