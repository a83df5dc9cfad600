#include "engine/ops/quantize.h"

namespace ntq {
namespace {

void check_quantizer(const char* op, const Tensor& x, const Tensor& step, QuantRange range) {
  check(step.shape().rank() == 1 && (step.size(0) == 1 || (x.shape().rank() >= 1 && step.size(0) == x.size(0))), op,
        ": expected one step, {1}, or one for each slice of the first axis of ", x.shape(), ", found ", step.shape());
  check(range.low <= 0 && range.low < range.high && range.high <= 255 && range.low >= -255, op,
        ": expected a range of integers around 0 within [-255, 255], found [", range.low, ", ", range.high, "]");
}

}  // namespace

Tensor quantize(const Tensor& x, const Tensor& step, const QuantizeArgs& args) {
  check_quantizer("quantize", x, step, args.range);
  check(args.noise.c >= 0 && args.noise.k >= 0, "quantize: noise c and k must not be negative, found ", args.noise.c,
        " and ", args.noise.k);
  Tensor y = Tensor::empty(x.shape(), DType::f32, x.device());
  backend_for(x.device()).quantize(x.f32(), step.f32(), step.numel(), args.range, args.noise, y.f32(), x.numel());
  OpInfo op{"quantize"};
  if (graph_is_recorded()) op.attributes = {{"low", double{args.range.low}}, {"high", double{args.range.high}}};
  return record(op, y, {x, step},
                [x = x.detach(), step = step.detach(), range = args.range, g = args.grad_scale](const Tensor& dy) {
                  Tensor dx = Tensor::empty(x.shape(), DType::f32, dy.device());
                  Tensor dstep = Tensor::empty(step.shape(), DType::f32, dy.device());
                  backend_for(dy.device())
                      .quantize_grad(x.f32(), step.f32(), step.numel(), range, g, dy.f32(), dx.f32(), dstep.f32(),
                                     x.numel());
                  return std::vector<Tensor>{dx, dstep};
                });
}

Tensor quantize_codes(const Tensor& x, const Tensor& step, QuantRange range) {
  check_quantizer("quantize_codes", x, step, range);
  check(range.low < 0 ? range.low >= -128 && range.high <= 127 : range.high <= 255,
        "quantize_codes: codes of one byte cannot hold [", range.low, ", ", range.high, "]");
  Tensor codes = Tensor::empty(x.shape(), range.low < 0 ? DType::i8 : DType::u8, x.device());
  backend_for(x.device())
      .quantize_codes(x.f32(), step.f32(), step.numel(), range, static_cast<uint8_t*>(codes.raw()), x.numel());
  return codes;
}

}  // namespace ntq
