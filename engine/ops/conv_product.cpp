#include "engine/ops/conv_product.h"

#include <algorithm>

namespace ntq {

Tensor conv_product(const OpInfo& op, const ConvGeometry& g, const Tensor& x, const Tensor& w,
                    std::initializer_list<int64_t> out) {
  double macs = 1;
  for (const int64_t size : {g.batch, g.out_h, g.out_w, g.out_c, g.kernel_h, g.kernel_w, g.in_c})
    macs *= static_cast<double>(std::max<int64_t>(size, 1));
  check(macs <= 0x1p60, op.name, ": more than 2^60 products");
  Tensor y = Tensor::empty(Shape(out), DType::f32, x.device());
  backend_for(x.device()).conv2d(g, x.f32(), w.f32(), y.f32());
  return record(
      op, y, {x, w},
      [g, x = x.detach(), w = w.detach(), want_x = x.requires_grad(), want_w = w.requires_grad()](const Tensor& dy) {
        Backend& backend = backend_for(dy.device());
        Tensor dx, dw;
        if (want_w) {
          dw = Tensor::empty(w.shape(), DType::f32, dy.device());
          backend.conv2d_grad_weight(g, dy.f32(), x.f32(), dw.f32());
        }
        if (want_x) {
          dx = Tensor::empty(x.shape(), DType::f32, dy.device());
          backend.conv2d_grad_input(g, dy.f32(), w.f32(), dx.f32());
        }
        return std::vector<Tensor>{dx, dw};
      });
}

}  // namespace ntq
