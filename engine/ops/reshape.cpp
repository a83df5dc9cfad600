#include "engine/ops/reshape.h"

#include <cstring>

namespace ntq {

Tensor reshape(const Tensor& x, const Shape& shape) {
  return record({"reshape"}, x.view(shape), {x},
                [before = x.shape()](const Tensor& dy) { return std::vector<Tensor>{dy.view(before)}; });
}

Tensor subsample_pad_channels(const Tensor& x, int64_t stride, int64_t extra) {
  constexpr int64_t kMost = int64_t{1} << 30;  // far from overflow
  check(x.shape().rank() == 4 && stride >= 1 && stride <= kMost && extra >= 0 && extra <= kMost,
        "subsample_pad_channels: expected {N,H,W,C}, stride of 1 to 2^30, extra of 0 to 2^30; found ", x.shape(), ", ",
        stride, ", ", extra);
  check(x.on_host(), "subsample_pad_channels: not available on ", x.device().str());
  const int64_t n = x.size(0), h = x.size(1), w = x.size(2), c = x.size(3);
  const int64_t oh = (h + stride - 1) / stride, ow = (w + stride - 1) / stride, oc = c + 2 * extra;
  Tensor y = Tensor::zeros({n, oh, ow, oc});
  // Runs `copy(input pixel, output channels)` on every kept pixel.
  const auto each_pixel = [=](const auto& copy) {
    for (int64_t i = 0; i < n * oh * ow; ++i) {
      const int64_t in_row = (i / (oh * ow)) * h + (i / ow % oh) * stride;
      copy((in_row * w + i % ow * stride) * c, i * oc + extra);
    }
  };
  const size_t bytes = static_cast<size_t>(c) * sizeof(float);
  each_pixel([&, from = x.f32(), to = y.f32()](int64_t in, int64_t out) { std::memcpy(to + out, from + in, bytes); });
  OpInfo op{"subsample_pad_channels"};
  if (graph_is_recorded()) op.attributes = {{"stride", stride}, {"extra", extra}};
  return record(op, y, {x}, [each_pixel, bytes, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::zeros(shape);
    each_pixel(
        [&, from = dy.f32(), to = dx.f32()](int64_t in, int64_t out) { std::memcpy(to + in, from + out, bytes); });
    return std::vector<Tensor>{dx};
  });
}

}  // namespace ntq
