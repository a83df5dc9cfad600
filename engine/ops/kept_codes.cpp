#include "engine/ops/kept_codes.h"

#include <cmath>

#include "engine/ops/on_device.h"

namespace ntq {

bool keeps_codes(const Tensor& x, const PlainSteps& steps) {
  if (!needs_record({x, steps.step}) || graph_is_recorded() || steps.args.noise.c != 0) return false;
  const Backend& backend = backend_for(x.device());
  for (const Primitive p : {Primitive::quantize_codes, Primitive::batch_norm_codes, Primitive::decode_codes}) {
    if (!backend.supports(p, x.dtype())) return false;
  }
  // Products of other types than float32 read the codes themselves.
  return x.dtype() == DType::f32 ||
         (backend.supports(Primitive::conv2d, DType::u8) && backend.supports(Primitive::conv2d_grad_weight, DType::u8));
}

Codes new_kept_codes(const char* op, const Tensor& x, const PlainSteps& steps) {
  const QuantRange range{std::round(steps.args.range.low), std::round(steps.args.range.high)};
  check(steps.step.shape() == Shape{1} && steps.args.noise.c == 0, op, ": expected one step, {1}, and no noise, found ",
        steps.step.shape(), " and noise ", steps.args.noise.c);
  check(range.low <= 0 && range.low < range.high &&
            (range.low < 0 ? range.low >= -128 && range.high <= 127 : range.high <= 255),
        op, ": codes of one byte cannot hold [", range.low, ", ", range.high, "]");
  return {Tensor::empty(x.shape(), range.low < 0 ? DType::i8 : DType::u8, x.device()),
          {.range = range, .step = Tensor::empty({1}, DType::f32, x.device())},
          x.dtype()};
}

Codes quantize_kept(const Tensor& x, const PlainSteps& steps) {
  Codes out = new_kept_codes("quantize_kept", x, steps);
  backend_for("quantize_kept", Primitive::quantize_codes, {x}, {steps.step})
      .quantize_codes(steps.args.range, x.view(), steps.step.view(), out.values.view(), out.grid.step.view());
  out.source = record({"quantize_kept"}, x.detach(), {x, steps.step},
                      [x = x.detach(), step = steps.step.detach(), args = steps.args](const Tensor& dy) {
                        const Tensor dx = gradient_room(dy);
                        Tensor dstep = Tensor::empty({1}, DType::f32, dy.device());
                        backend_for("quantize_kept", Primitive::quantize_grad, {x, dy}, {step})
                            .quantize_grad(args, x.view(), step.view(), dy.view(), dx.view(), dstep.view());
                        return std::vector<Tensor>{dx, dstep};
                      });
  return out;
}

}  // namespace ntq
