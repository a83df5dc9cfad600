// Subsampled pixels with channels around, and windows of images of bytes: lines of pixels shared out among the threads.
#include <algorithm>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/stored.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

/// Runs op(line) over lines of pixels of `size` elements, many to a task.
template <class Op>
void each_line(int64_t lines, int64_t size, const Op& op) {
  parallel_ranges(lines, std::max<int64_t>(1, kGrain / std::max<int64_t>(size, 1)), size,
                  [&](int64_t begin, int64_t end) {
                    for (int64_t line = begin; line < end; ++line) op(line);
                  });
}

template <class T>
void subsampled(const SubsampleGeometry& g, const T* x, T* y) {
  each_line(g.batch * g.out_h(), g.out_w() * g.out_c(), [&](int64_t line) {
    const T* from = x + (line / g.out_h() * g.in_h + line % g.out_h() * g.stride) * g.in_w * g.in_c;
    T* to = y + line * g.out_w() * g.out_c();
    for (int64_t j = 0; j < g.out_w(); ++j, from += g.stride * g.in_c) {
      to = std::fill_n(to, g.extra, T{});
      to = std::copy_n(from, g.in_c, to);
      to = std::fill_n(to, g.extra, T{});
    }
  });
}

template <class T>
void subsampled_grad(const SubsampleGeometry& g, const T* dy, T* dx) {
  each_line(g.batch * g.in_h, g.in_w * g.in_c, [&](int64_t line) {
    const int64_t image = line / g.in_h, h = line % g.in_h;
    T* const to = dx + line * g.in_w * g.in_c;
    std::fill_n(to, g.in_w * g.in_c, T{});
    if (h % g.stride != 0) return;
    const T* from = dy + (image * g.out_h() + h / g.stride) * g.out_w() * g.out_c() + g.extra;
    for (int64_t j = 0; j < g.out_w(); ++j, from += g.out_c()) std::copy_n(from, g.in_c, to + j * g.stride * g.in_c);
  });
}

}  // namespace

void CpuBackend::subsample(const SubsampleGeometry& g, ConstView x, View y) {
  with_stored(k_, y.type, [&]<class T>(const StoredKernels<T>&) {
    subsampled(g, values<T>(x, g.in_size()), values<T>(y, g.out_size()));
  });
}
void CpuBackend::subsample_grad(const SubsampleGeometry& g, ConstView dy, View dx) {
  with_stored(k_, dx.type, [&]<class T>(const StoredKernels<T>&) {
    subsampled_grad(g, values<T>(dy, g.out_size()), values<T>(dx, g.in_size()));
  });
}

void CpuBackend::crop_images(const ImageSizes& g, ConstView pixels, ConstView crops, ConstView values_of, View y) {
  const auto* const bytes = values<uint8_t>(pixels, pixels.size);
  const auto* const all = values<int32_t>(crops, 4 * g.batch);
  const float* const table = values(values_of, 256 * g.channels);
  float* const out = values(y, g.size());
  each_line(g.batch * g.height, g.width * g.channels, [&](int64_t line) {
    const int32_t* const crop = all + line / g.height * 4;
    const int64_t row = crop[1] + line % g.height;
    float* to = out + line * g.width * g.channels;
    for (int64_t w = 0; w < g.width; ++w) {
      const int64_t column = crop[2] + (crop[3] != 0 ? g.width - 1 - w : w);
      const bool inside = row >= 0 && row < g.height && column >= 0 && column < g.width;
      const int64_t from = ((crop[0] * g.height + row) * g.width + column) * g.channels;
      for (int64_t c = 0; c < g.channels; ++c) *to++ = table[256 * c + (inside ? bytes[from + c] : 0)];
    }
  });
}

}  // namespace ntq::cpu
