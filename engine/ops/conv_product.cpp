#include "engine/ops/conv_product.h"

#include <algorithm>

#include "engine/ops/binary.h"
#include "engine/ops/kept_codes.h"
#include "engine/ops/on_device.h"
#include "engine/ops/quantize.h"

namespace ntq {
namespace {

/// What a product reads, and reads again for its gradient: values, or kept codes. Where both sides are codes, whole
/// numbers are multiplied. Else float32 has the bits of the values, made of codes as they are read; in bfloat16 codes
/// are multiplied as whole numbers, exact where step * code would be rounded, and their step goes to the filters.
struct ProductInput {
  Tensor seen;   ///< by the graph: values, codes, or the codes' source
  Tensor codes;  ///< undefined where the source is there to make them again
  CodeGrid grid;
  DType type;  ///< of the values

  explicit ProductInput(const LayerInput& input)
      : seen(input.kept() ? input.tensor() : input.values()), type(input.type()) {
    if (const Codes* const kept = input.kept()) codes = kept->values, grid = kept->grid;
  }
  /// For the gradient.
  ProductInput detach() const {
    ProductInput out = *this;
    out.seen = seen.detach();
    out.codes = seen.dtype() == type ? Tensor() : out.seen;
    return out;
  }
  bool kept() const { return grid.step.defined(); }
  Tensor bytes() const { return codes ? codes : quantize_codes(seen, grid.step, grid.range); }
  Tensor values() const {
    if (!kept()) return seen;
    return codes && grid.step.numel() == 1 ? decode_kept(codes, grid.step, type)
                                           : quantize(seen, grid.step, {.range = grid.range});
  }
  /// Beside filters of values: codes whose step goes to the filters; or codes and their step where the device reads
  /// such; else values.
  bool scales() const { return kept() && type != DType::f32; }
  bool steps() const {
    return kept() && !scales() && grid.step.numel() == 1 && reads_codes(backend_for(seen.device()));
  }
  Tensor images() const { return scales() || steps() ? bytes() : values(); }
  ConstView step() const { return steps() ? grid.step.view() : ConstView(); }
  int32_t top() const { return static_cast<int32_t>(std::max(-grid.range.low, grid.range.high)); }
};

/// Filters w as the pass multiplies them beside values of `type`; with `scale`, {1}, scale * w.
Tensor packed(const ConvGeometry& g, ConvPass pass, DType type, const Tensor& w, const Tensor& scale = {}) {
  Backend& backend = backend_for(w.device());
  const int64_t size = backend.packed_filters(g, pass, type);
  if (size == 0) return scale ? mul(w, scale) : w;
  const Tensor out = Tensor::empty({size}, DType::bf16, w.device());
  backend.pack_filters(g, pass, w.view(), scale ? scale.view() : ConstView(), out.view());
  return out;
}

void product_of_codes(const char* name, const ConvGeometry& g, const ProductInput& x, const ProductInput& w,
                      const Tensor& y) {
  const Tensor images = x.bytes(), filters = w.bytes();
  backend_for(name, Primitive::conv2d_codes, {y}, {x.grid.step, w.grid.step})
      .conv2d_codes(g, {images.view(), filters.view(), x.grid.step.view(), w.grid.step.view(), x.top(), w.top()},
                    y.view());
}

}  // namespace

Tensor conv_product(const OpInfo& op, const ConvGeometry& g, const LayerInput& input, const LayerInput& weight,
                    std::initializer_list<int64_t> out) {
  double macs = 1;
  for (const int64_t size : {g.batch, g.out_h, g.out_w, g.out_c, g.kernel_h, g.kernel_w, g.in_c})
    macs *= static_cast<double>(std::max<int64_t>(size, 1));
  check(macs <= 0x1p60, op.name, ": more than 2^60 products");
  const ProductInput read(input), filters(weight);
  Tensor y = Tensor::empty(Shape(out), read.type, read.seen.device());
  const bool both = read.kept() && filters.kept();
  if (both && backend_for(y.device()).supports(Primitive::conv2d_codes, read.type)) {
    product_of_codes(op.name, g, read, filters, y);
  } else {
    const Tensor images = read.images(), w = filters.values();
    Backend& backend = backend_for(op.name, Primitive::conv2d, {y}, {w});
    const Tensor scaled = read.scales() ? packed(g, ConvPass::forward, read.type, w.detach(), read.grid.step) : w;
    backend.conv2d(g, {images.view(), read.step()}, scaled.view(), y.view());
  }
  ProductInput kept = filters.detach();
  // Filters that were made for this product are kept as its gradient reads them.
  if (filters.seen.node() && !filters.kept() && needs_record({read.seen}))
    kept.seen = packed(g, ConvPass::grad_input, read.type, kept.seen);
  return record(
      op, y, {read.seen, filters.seen},
      [g, name = op.name, want_x = read.seen.requires_grad(), want_w = filters.seen.requires_grad(),
       read = read.detach(), filters = kept, shape = filters.seen.shape()](const Tensor& dy) mutable {
        Tensor dx, dw;
        if (want_x) {
          const Tensor w = filters.values();
          dx = Tensor::empty(read.seen.shape(), read.type, dy.device());
          backend_for(name, Primitive::conv2d_grad_input, {dy}).conv2d_grad_input(g, dy.view(), w.view(), dx.view());
        }
        filters.seen = filters.codes = {};  // room for their gradient
        if (want_w) {
          const Tensor images = read.images();
          dw = Tensor::empty(shape, DType::f32, dy.device());
          backend_for(name, Primitive::conv2d_grad_weight, {dy})
              .conv2d_grad_weight(g, dy.view(), {images.view(), read.step()}, dw.view());
          if (read.scales()) {  // in place
            backend_for(name, Primitive::binary_along, {dw})
                .binary_along({Binary::mul, {.outer = dw.numel()}}, dw.view(), read.grid.step.view(), dw.view());
          }
        }
        return std::vector<Tensor>{dx, dw};
      });
}

}  // namespace ntq
