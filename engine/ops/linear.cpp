#include "engine/ops/linear.h"

#include "engine/ops/conv_product.h"

namespace ntq {

Tensor linear(const LayerInput& input, const LayerInput& weight) {
  const Tensor &x = input.tensor(), &w = weight.tensor();
  check(x.shape().rank() == 2 && w.shape().rank() == 2 && x.size(1) == w.size(1),
        "linear: expected x {N,in} and w {out,in}, found ", x.shape(), " and ", w.shape());
  ConvGeometry g{.batch = x.size(0), .in_c = x.size(1)};
  g.out_c = w.size(0);
  return conv_product({"linear"}, g, input, weight, {x.size(0), w.size(0)});
}

}  // namespace ntq
