#include "engine/ops/conv.h"

#include "engine/ops/conv_product.h"
#include "engine/ops/limits.h"

namespace ntq {

Tensor conv2d(const LayerInput& input, const LayerInput& weight, const ConvOptions& options) {
  const Tensor &x = input.tensor(), &w = weight.tensor();
  check(x.shape().rank() == 4, "conv2d: expected images {N,H,W,C}, found ", x.shape());
  check(w.shape().rank() == 4, "conv2d: expected filters {Cout,Kh,Kw,Cin}, found ", w.shape());
  check(options.groups == 1, "conv2d: groups = ", options.groups, " for ", x.size(3), " channels and ", w.size(0),
        " filters: no kernel has groups yet; only groups = 1 is possible");
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
  g.groups = options.groups;
  const int64_t room_h = g.in_h + 2 * g.pad - g.kernel_h, room_w = g.in_w + 2 * g.pad - g.kernel_w;
  check(room_h >= 0 && room_w >= 0, "conv2d: filters ", w.shape(), " with padding ", g.pad,
        " are larger than the images ", x.shape());
  g.out_h = room_h / g.stride + 1;
  g.out_w = room_w / g.stride + 1;
  OpInfo op{"conv2d"};
  if (graph_is_recorded()) op.attributes = {{"stride", g.stride}, {"padding", g.pad}};
  return conv_product(op, g, input, weight, {g.batch, g.out_h, g.out_w, g.out_c});
}

}  // namespace ntq
