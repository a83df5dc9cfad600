#pragma once
// Pixels of NHWC images, and the windows of a pool that see them.
#include "engine/backend/args.h"
#include "engine/backend/cuda/kernels/tiles.h"

namespace ntq::cuda {

struct Pixel {
  int image, h, w;
};
/// Of images {rows,columns}, by its flat place, which is below 2^31 (Primitives::max_pool).
NTQ_DEVICE Pixel pixel_of(int64_t place, int64_t rows, int64_t columns) {
  const auto at = static_cast<uint32_t>(place), height = static_cast<uint32_t>(rows),
             width = static_cast<uint32_t>(columns), line = at / width;
  return {static_cast<int>(line / height), static_cast<int>(line % height), static_cast<int>(at % width)};
}

/// Places [begin, end) of an axis.
struct Span {
  int begin, end;
  NTQ_DEVICE int size() const { return end - begin; }
};
/// What of an axis of `size` places lies in the window of one output.
NTQ_DEVICE Span window_of(const PoolGeometry& g, int64_t size, int output) {
  const int first = output * static_cast<int>(g.stride) - static_cast<int>(g.pad);
  const int last = first + static_cast<int>(g.kernel), most = static_cast<int>(size);
  return {first > 0 ? first : 0, last < most ? last : most};
}
/// The outputs, of `size` of them, whose windows see one place.
NTQ_DEVICE Span outputs_of(const PoolGeometry& g, int64_t size, int place) {
  const int stride = static_cast<int>(g.stride), last = place + static_cast<int>(g.pad);
  const int first = last - static_cast<int>(g.kernel) + 1, end = last / stride + 1, most = static_cast<int>(size);
  return {first <= 0 ? 0 : (first + stride - 1) / stride, end < most ? end : most};
}

/// Calls each(flat place) for the thread's pixels.
template <class Each>
NTQ_DEVICE void each_pixel(const TilePlace& at, const Each& each) {
  if (at.count <= 0) return;
  for (int64_t place = at.begin; place < at.end; place += at.step) each(place);
}

}  // namespace ntq::cuda
