#include "engine/ops/kept_codes.h"

#include <cmath>
#include <memory>

#include "engine/ops/on_device.h"

namespace ntq {

bool reads_codes(const Backend& backend) {
  return backend.supports(Primitive::conv2d, DType::u8) && backend.supports(Primitive::conv2d_grad_weight, DType::u8);
}

bool keeps_codes(const Tensor& x, const PlainSteps& steps) {
  if (!needs_record({x, steps.step}) || graph_is_recorded() || steps.args.noise.c != 0) return false;
  const Backend& backend = backend_for(x.device());
  for (const Primitive p : {Primitive::quantize_codes, Primitive::batch_norm_codes, Primitive::decode_codes}) {
    if (!backend.supports(p, x.dtype())) return false;
  }
  // Products of other types than float32 must.
  return x.dtype() == DType::f32 || reads_codes(backend);
}

Codes new_kept_codes(const char* op, const Tensor& x, const PlainSteps& steps) {
  const QuantRange range{std::round(steps.args.range.low), std::round(steps.args.range.high)};
  const bool fits = steps.step.shape() == Shape{1} || steps.step.shape() == Shape{x.size(0)};
  check(fits && steps.args.noise.c == 0, op, ": expected one step, {1}, or one for each slice of ", x.shape(),
        ", and no noise, found ", steps.step.shape(), " and noise ", steps.args.noise.c);
  check(range.low <= 0 && range.low < range.high &&
            (range.low < 0 ? range.low >= -128 && range.high <= 127 : range.high <= 255),
        op, ": codes of one byte cannot hold [", range.low, ", ", range.high, "]");
  return {Tensor::empty(x.shape(), range.low < 0 ? DType::i8 : DType::u8, x.device()),
          {.range = range, .step = Tensor::empty(steps.step.shape(), DType::f32, x.device())},
          x.dtype()};
}

namespace {

/// Whether `node`, whose op gave the values, takes the gradient of their codes into its own. It must run anyway; a step
/// that was itself computed may have to run its gradient before that.
bool leave_to(Node* node, const CodesGradient& gradient) {
  if (!node || !node->codes || node->codes->dy || gradient.steps.step.node() || !has_gradient(*node)) return false;
  if (!backend_for(gradient.dy.device()).supports(Primitive::batch_norm_codes_grad, gradient.dy.dtype())) return false;
  *node->codes = gradient;
  node->inputs.push_back(gradient.steps.step);
  return true;
}

}  // namespace

Codes quantize_kept(const Tensor& x, const PlainSteps& steps) {
  Codes out = new_kept_codes("quantize_kept", x, steps);
  backend_for("quantize_kept", Primitive::quantize_codes, {x}, {steps.step})
      .quantize_codes(steps.args.range, x.view(), steps.step.view(), out.values.view(), out.grid.step.view());
  out.source = record({"quantize_kept"}, x.detach(), {x, steps.step},
                      [x = x.detach(), node = std::weak_ptr(x.node()), steps](const Tensor& dy) {
                        if (leave_to(node.lock().get(), {x, dy, steps})) return std::vector<Tensor>(2);
                        const Tensor dx = gradient_room(dy);
                        Tensor dstep = Tensor::empty(steps.step.shape(), DType::f32, dy.device());
                        backend_for("quantize_kept", Primitive::quantize_grad, {x, dy}, {steps.step})
                            .quantize_grad(steps.args, x.view(), steps.step.view(), dy.view(), dx.view(), dstep.view());
                        return std::vector<Tensor>{dx, dstep};
                      });
  return out;
}

}  // namespace ntq
