#include "engine/ops/subsample.h"

#include "engine/ops/limits.h"
#include "engine/ops/on_device.h"

namespace ntq {

Tensor subsample_pad_channels(const Tensor& x, int64_t stride, int64_t extra) {
  check(x.shape().rank() == 4 && stride >= 1 && stride <= kFarthest && extra >= 0 && extra <= kFarthest,
        "subsample_pad_channels: expected {N,H,W,C}, stride of 1 to 2^30, extra of 0 to 2^30; found ", x.shape(), ", ",
        stride, ", ", extra);
  const SubsampleGeometry g{x.size(0), x.size(1), x.size(2), x.size(3), stride, extra};
  Tensor y = Tensor::empty({g.batch, g.out_h(), g.out_w(), g.out_c()}, x.dtype(), x.device());
  OpInfo op{"subsample_pad_channels"};
  backend_for(op.name, Primitive::subsample, {x}).subsample(g, x.view(), y.view());
  if (graph_is_recorded()) op.attributes = {{"stride", stride}, {"extra", extra}};
  return record(op, y, {x}, [g, name = op.name, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    backend_for(name, Primitive::subsample_grad, {dy}).subsample_grad(g, dy.view(), dx.view());
    return std::vector<Tensor>{dx};
  });
}

}  // namespace ntq
