#include "engine/ops/conv_product.h"

#include <algorithm>

#include "engine/ops/on_device.h"

namespace ntq {

Tensor conv_product(const OpInfo& op, const ConvGeometry& g, const LayerInput& input, const Tensor& w,
                    std::initializer_list<int64_t> out) {
  double macs = 1;
  for (const int64_t size : {g.batch, g.out_h, g.out_w, g.out_c, g.kernel_h, g.kernel_w, g.in_c})
    macs *= static_cast<double>(std::max<int64_t>(size, 1));
  check(macs <= 0x1p60, op.name, ": more than 2^60 products");
  const Tensor values = input.values();
  const Tensor& x = input.is_kept() ? input.tensor() : values;
  Tensor y = Tensor::empty(Shape(out), values.dtype(), values.device());
  backend_for(op.name, Primitive::conv2d, {values}, {w}).conv2d(g, values.view(), w.view(), y.view());
  return record(op, y, {x, w},
                [g, name = op.name, read = input.kept_or(values.detach()), w = w.detach(), want_x = x.requires_grad(),
                 want_w = w.requires_grad()](const Tensor& dy) {
                  Tensor dx, dw;
                  if (want_w) {
                    const Tensor again = read.values();  // of codes: decoded once more
                    dw = Tensor::empty(w.shape(), DType::f32, dy.device());
                    backend_for(name, Primitive::conv2d_grad_weight, {again, dy})
                        .conv2d_grad_weight(g, dy.view(), again.view(), dw.view());
                  }
                  if (want_x) {
                    dx = Tensor::empty(read.tensor().shape(), dy.dtype(), dy.device());
                    backend_for(name, Primitive::conv2d_grad_input, {dy}, {w})
                        .conv2d_grad_input(g, dy.view(), w.view(), dx.view());
                  }
                  return std::vector<Tensor>{dx, dw};
                });
}

}  // namespace ntq
