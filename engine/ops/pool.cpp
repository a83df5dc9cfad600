#include "engine/ops/pool.h"

#include "engine/ops/limits.h"
#include "engine/ops/on_device.h"

namespace ntq {
namespace {

PoolGeometry geometry(const char* op, const Tensor& x, const PoolOptions& o) {
  check(x.shape().rank() == 4, op, ": expected images {N,H,W,C}, found ", x.shape());
  check(o.kernel >= 1 && o.kernel <= kFarthest && o.stride >= 1 && o.stride <= kFarthest && o.padding >= 0 &&
            o.padding <= o.kernel / 2,
        op, ": expected kernel and stride of 1 to 2^30 and 0 <= padding <= kernel / 2, found ", o.kernel, ", ",
        o.stride, ", ", o.padding);
  check(x.size(1) >= 1 && x.size(2) >= 1, op, ": expected images with pixels, found ", x.shape());
  PoolGeometry g{.batch = x.size(0), .in_h = x.size(1), .in_w = x.size(2), .channels = x.size(3)};
  g.kernel = o.kernel;
  g.stride = o.stride;
  g.pad = o.padding;
  check(g.in_h + 2 * g.pad >= g.kernel && g.in_w + 2 * g.pad >= g.kernel, op, ": kernel ", g.kernel,
        " is larger than the images ", x.shape());
  check(g.batch * g.in_h * g.in_w < (int64_t{1} << 31), op, ": more than 2^31 pixels");
  g.out_h = (g.in_h + 2 * g.pad - g.kernel) / g.stride + 1;
  g.out_w = (g.in_w + 2 * g.pad - g.kernel) / g.stride + 1;
  return g;
}

/// Kernel, stride and padding.
OpInfo pooling(const char* name, const PoolGeometry& g) {
  OpInfo op{name};
  if (graph_is_recorded()) op.attributes = {{"kernel", g.kernel}, {"stride", g.stride}, {"padding", g.pad}};
  return op;
}

Tensor average(const OpInfo& op, const PoolGeometry& g, const Tensor& x, const Shape& out) {
  Tensor y = Tensor::empty(out, x.dtype(), x.device());
  backend_for(op.name, Primitive::avg_pool, {x}).avg_pool(g, x.view(), y.view());
  return record(op, y, {x}, [g, name = op.name, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    backend_for(name, Primitive::avg_pool_grad, {dy}).avg_pool_grad(g, dy.view(), dx.view());
    return std::vector<Tensor>{dx};
  });
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const PoolOptions& options) {
  const PoolGeometry g = geometry("max_pool2d", x, options);
  const Shape out{g.batch, g.out_h, g.out_w, g.channels};
  Tensor y = Tensor::empty(out, x.dtype(), x.device());
  Tensor index = Tensor::empty(out, DType::i32, x.device());
  backend_for("max_pool2d", Primitive::max_pool, {x}).max_pool(g, x.view(), y.view(), index.view());
  return record(pooling("max_pool2d", g), y, {x}, [g, index, shape = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
    backend_for("max_pool2d", Primitive::max_pool_grad, {dy}).max_pool_grad(g, dy.view(), index.view(), dx.view());
    return std::vector<Tensor>{dx};
  });
}

Tensor avg_pool2d(const Tensor& x, const PoolOptions& options) {
  const PoolGeometry g = geometry("avg_pool2d", x, options);
  return average(pooling("avg_pool2d", g), g, x, {g.batch, g.out_h, g.out_w, g.channels});
}

Tensor global_avg_pool(const Tensor& x) {
  check(x.shape().rank() == 4 && x.size(1) * x.size(2) > 0, "global_avg_pool: expected images {N,H,W,C}, found ",
        x.shape());
  // A window of all pixels in one row: the pixels of an image lie next to each other.
  PoolGeometry g{.batch = x.size(0), .in_h = 1, .in_w = x.size(1) * x.size(2), .channels = x.size(3)};
  g.kernel = g.in_w;
  return average({"global_avg_pool"}, g, x, {x.size(0), x.size(3)});
}

}  // namespace ntq
