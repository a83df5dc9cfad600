#include "engine/ops/elementwise.h"

#include <cstring>

#include "engine/backend/backend.h"

namespace ntq {
namespace {

void check_same(const char* op, const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), op, ": shapes differ: ", a.shape(), " and ", b.shape());
}

Tensor like(const Tensor& x) { return Tensor::empty(x.shape(), DType::f32, x.device()); }

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  check_same("add", a, b);
  Tensor y = like(a);
  backend_for(a.device()).add(a.f32(), b.f32(), y.f32(), a.numel());
  return record(y, {a, b}, [](const Tensor& dy) { return std::vector<Tensor>{dy, dy}; });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  check_same("mul", a, b);
  Tensor y = like(a);
  backend_for(a.device()).mul(a.f32(), b.f32(), y.f32(), a.numel());
  return record(y, {a, b}, [a = a.detach(), b = b.detach()](const Tensor& dy) {
    return std::vector<Tensor>{mul(dy, b), mul(dy, a)};
  });
}

Tensor scale(const Tensor& x, float alpha) {
  Tensor y = like(x);
  backend_for(x.device()).scale(x.f32(), alpha, y.f32(), x.numel());
  return record(y, {x}, [alpha](const Tensor& dy) { return std::vector<Tensor>{scale(dy, alpha)}; });
}

Tensor relu(const Tensor& x) {
  Tensor y = like(x);
  backend_for(x.device()).relu(x.f32(), y.f32(), x.numel());
  return record(y, {x}, [y = y.detach()](const Tensor& dy) {
    Tensor dx = like(dy);
    backend_for(dy.device()).relu_grad(y.f32(), dy.f32(), dx.f32(), dy.numel());
    return std::vector<Tensor>{dx};
  });
}

Tensor add_bias(const Tensor& x, const Tensor& bias) {
  const int64_t channels = x.shape().rank() ? x.size(-1) : 0;
  check(bias.shape() == Shape{channels}, "add_bias: x ", x.shape(), " needs a bias of shape {", channels, "}, found ",
        bias.shape());
  const int64_t rows = channels ? x.numel() / channels : 0;
  Tensor y = like(x);
  backend_for(x.device()).add_bias(x.f32(), bias.f32(), y.f32(), rows, channels);
  return record(y, {x, bias}, [rows, channels, want = bias.requires_grad()](const Tensor& dy) {
    Tensor dbias;
    if (want) {
      dbias = Tensor::empty({channels}, DType::f32, dy.device());
      backend_for(dy.device()).sum_rows(dy.f32(), dbias.f32(), rows, channels);
    }
    return std::vector<Tensor>{dy, dbias};
  });
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  return record(x.view(shape), {x},
                [before = x.shape()](const Tensor& dy) { return std::vector<Tensor>{dy.view(before)}; });
}

Tensor subsample_pad_channels(const Tensor& x, int64_t stride, int64_t extra) {
  constexpr int64_t kMost = int64_t{1} << 30;  // far from overflow
  check(x.shape().rank() == 4 && stride >= 1 && stride <= kMost && extra >= 0 && extra <= kMost,
        "subsample_pad_channels: expected {N,H,W,C}, stride of 1 to 2^30, extra of 0 to 2^30; found ", x.shape(), ", ",
        stride, ", ", extra);
  check(x.device().type == DeviceType::cpu, "subsample_pad_channels: not available on ", x.device().str());
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
  return record(y, {x}, [each_pixel, bytes, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::zeros(shape);
    each_pixel(
        [&, from = dy.f32(), to = dx.f32()](int64_t in, int64_t out) { std::memcpy(to + in, from + out, bytes); });
    return std::vector<Tensor>{dx};
  });
}

}  // namespace ntq
