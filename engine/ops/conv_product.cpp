#include "engine/ops/conv_product.h"

#include <algorithm>

#include "engine/ops/binary.h"
#include "engine/ops/on_device.h"
#include "engine/ops/quantize.h"

namespace ntq {
namespace {

/// What a product reads, and reads again for its gradient: values, or kept codes. In float32 those are decoded for as
/// long as they are read, which gives the bits of the values. In bfloat16 they are multiplied as whole numbers, exact
/// where step * code would be rounded, and their step goes to the filters.
struct ProductInput {
  Tensor seen;   ///< by the graph: values, codes, or the codes' source
  Tensor codes;  ///< undefined where the source is there to make them again
  CodeGrid grid;
  DType type;                     ///< of the values
  std::function<Tensor()> again;  ///< makes these; or none

  explicit ProductInput(const LayerInput& input)
      : seen(input.kept() ? input.tensor() : input.values()), type(input.type()), again(input.again()) {
    if (const Codes* const kept = input.kept()) codes = kept->values, grid = kept->grid;
  }
  /// For the gradient.
  ProductInput detach() const {
    ProductInput out = *this;
    out.seen = again ? seen.for_graph() : seen.detach();
    out.codes = seen.dtype() == type ? Tensor() : out.seen;
    return out;
  }
  Tensor images() const {
    if (!grid.step) return values();
    if (type == DType::f32)
      return codes ? decode_kept(codes, grid.step, type) : quantize(seen, grid.step, {.range = grid.range});
    return codes ? codes : quantize_codes(seen, grid.step, grid.range);
  }
  Tensor values() const { return again ? again() : seen; }
  Tensor scaled(const Tensor& w) const { return grid.step && type != DType::f32 ? mul(w.detach(), grid.step) : w; }
};

}  // namespace

Tensor conv_product(const OpInfo& op, const ConvGeometry& g, const LayerInput& input, const LayerInput& weight,
                    std::initializer_list<int64_t> out) {
  double macs = 1;
  for (const int64_t size : {g.batch, g.out_h, g.out_w, g.out_c, g.kernel_h, g.kernel_w, g.in_c})
    macs *= static_cast<double>(std::max<int64_t>(size, 1));
  check(macs <= 0x1p60, op.name, ": more than 2^60 products");
  const ProductInput read(input), by(weight);
  const Tensor &x = read.seen, &w = by.seen;
  Tensor y;
  {
    const Tensor images = read.images();
    y = Tensor::empty(Shape(out), read.type, x.device());
    backend_for(op.name, Primitive::conv2d, {y}, {w}).conv2d(g, images.view(), read.scaled(w).view(), y.view());
  }
  return record(op, y, {x, w},
                [g, name = op.name, read = read.detach(), by = by.detach(), want_x = x.requires_grad(),
                 want_w = w.requires_grad()](const Tensor& dy) {
                  Tensor dx, dw;
                  if (want_w) {
                    const Tensor images = read.images();
                    dw = Tensor::empty(by.seen.shape(), DType::f32, dy.device());
                    backend_for(name, Primitive::conv2d_grad_weight, {dy})
                        .conv2d_grad_weight(g, dy.view(), images.view(), dw.view());
                    dw = read.scaled(dw);
                  }
                  if (want_x) {
                    const Tensor filters = by.values();
                    dx = Tensor::empty(read.seen.shape(), read.type, dy.device());
                    backend_for(name, Primitive::conv2d_grad_input, {dy}, {filters})
                        .conv2d_grad_input(g, dy.view(), filters.view(), dx.view());
                  }
                  return std::vector<Tensor>{dx, dw};
                });
}

}  // namespace ntq
