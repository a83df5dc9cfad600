#include "engine/ops/conv.h"

#include <algorithm>

#include "engine/ops/limits.h"
#include "engine/ops/on_device.h"

namespace ntq {
namespace {

/// Refuses what nobody can compute, before sizes of patches and packed filters overflow.
void check_work(const char* op, const ConvGeometry& g) {
  double macs = 1;
  for (const int64_t size : {g.batch, g.out_h, g.out_w, g.out_c, g.kernel_h, g.kernel_w, g.in_c})
    macs *= static_cast<double>(std::max<int64_t>(size, 1));
  check(macs <= 0x1p60, op, ": more than 2^60 products");
}

Tensor run(const OpInfo& op, const ConvGeometry& g, const Tensor& x, const Tensor& w, const Shape& out) {
  Tensor y = Tensor::empty(out, DType::f32, x.device());
  backend_for(op.name, Primitive::conv2d, {x, w}).conv2d(g, x.view(), w.view(), y.view());
  return record(
      op, y, {x, w},
      [g, name = op.name, x = x.detach(), w = w.detach(), want_x = x.requires_grad(),
       want_w = w.requires_grad()](const Tensor& dy) {
        Tensor dx, dw;
        if (want_w) {
          dw = Tensor::empty(w.shape(), DType::f32, dy.device());
          backend_for(name, Primitive::conv2d_grad_weight, {x, dy})
              .conv2d_grad_weight(g, dy.view(), x.view(), dw.view());
        }
        if (want_x) {
          dx = Tensor::empty(x.shape(), DType::f32, dy.device());
          backend_for(name, Primitive::conv2d_grad_input, {w, dy}).conv2d_grad_input(g, dy.view(), w.view(), dx.view());
        }
        return std::vector<Tensor>{dx, dw};
      });
}

}  // namespace

Tensor conv2d(const LayerInput& input, const Tensor& w, const ConvOptions& options) {
  const Tensor x = input.values();
  check(x.shape().rank() == 4, "conv2d: expected images {N,H,W,C}, found ", x.shape());
  check(w.shape().rank() == 4, "conv2d: expected filters {Cout,Kh,Kw,Cin}, found ", w.shape());
  check(x.size(3) == w.size(3), "conv2d: images ", x.shape(), " have ", x.size(3), " channels, filters ", w.shape(),
        " expect ", w.size(3));
  check(options.stride >= 1 && options.stride <= kFarthest && options.padding >= 0 && options.padding <= kFarthest,
        "conv2d: expected stride >= 1 and padding >= 0, at most 2^30, found ", options.stride, " and ",
        options.padding);
  ConvGeometry g{.batch = x.size(0), .in_h = x.size(1), .in_w = x.size(2), .in_c = x.size(3)};
  g.out_c = w.size(0);
  g.kernel_h = w.size(1);
  g.kernel_w = w.size(2);
  g.stride = options.stride;
  g.pad = options.padding;
  const int64_t room_h = g.in_h + 2 * g.pad - g.kernel_h, room_w = g.in_w + 2 * g.pad - g.kernel_w;
  check(room_h >= 0 && room_w >= 0, "conv2d: filters ", w.shape(), " with padding ", g.pad,
        " are larger than the images ", x.shape());
  g.out_h = room_h / g.stride + 1;
  g.out_w = room_w / g.stride + 1;
  check_work("conv2d", g);
  OpInfo op{"conv2d"};
  if (graph_is_recorded()) op.attributes = {{"stride", g.stride}, {"padding", g.pad}};
  return run(op, g, x, w, {g.batch, g.out_h, g.out_w, g.out_c});
}

Tensor linear(const LayerInput& input, const Tensor& w) {
  const Tensor x = input.values();
  check(x.shape().rank() == 2 && w.shape().rank() == 2 && x.size(1) == w.size(1),
        "linear: expected x {N,in} and w {out,in}, found ", x.shape(), " and ", w.shape());
  ConvGeometry g{.batch = x.size(0), .in_c = x.size(1)};
  g.out_c = w.size(0);
  check_work("linear", g);
  return run({"linear"}, g, x, w, {x.size(0), w.size(0)});
}

}  // namespace ntq
