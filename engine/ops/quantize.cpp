#include "engine/ops/quantize.h"

#include <cmath>

#include "engine/ops/on_device.h"

namespace ntq {
namespace {

void check_quantizer(const char* op, const Tensor& x, const Tensor& step, QuantRange range) {
  check(step.shape().rank() == 1 && (step.size(0) == 1 || (x.shape().rank() >= 1 && step.size(0) == x.size(0))), op,
        ": expected one step, {1}, or one for each slice of the first axis of ", x.shape(), ", found ", step.shape());
  check(range.low <= 0 && range.low < range.high && range.high < 256 && range.low > -256, op,
        ": expected a range of integers around 0 within [-255, 255], found [", range.low, ", ", range.high, "]");
}

}  // namespace

Tensor quantize(const Tensor& x, const Tensor& step, const QuantizeArgs& args) {
  check_quantizer("quantize", x, step, args.range);
  check(args.noise.c >= 0 && args.noise.k >= 0, "quantize: noise c and k must not be negative, found ", args.noise.c,
        " and ", args.noise.k);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  backend_for("quantize", Primitive::quantize, {x}, {step}).quantize(args, x.view(), step.view(), y.view());
  OpInfo op{"quantize"};
  if (graph_is_recorded()) op.attributes = {{"low", std::round(args.range.low)}, {"high", std::round(args.range.high)}};
  return record(op, y, {x, step}, [x = x.detach(), step = step.detach(), args](const Tensor& dy) {
    const Tensor dx = gradient_room(dy);
    Tensor dstep = Tensor::empty(step.shape(), DType::f32, dy.device());
    backend_for("quantize", Primitive::quantize_grad, {x, dy}, {step})
        .quantize_grad(args, x.view(), step.view(), dy.view(), dx.view(), dstep.view());
    return std::vector<Tensor>{dx, dstep};
  });
}

Tensor quantize_codes(const Tensor& x, const Tensor& step, QuantRange range) {
  check_quantizer("quantize_codes", x, step, range);
  check(range.low < 0 ? range.low >= -128 && range.high <= 127 : range.high <= 255,
        "quantize_codes: codes of one byte cannot hold [", range.low, ", ", range.high, "]");
  Tensor codes = Tensor::empty(x.shape(), range.low < 0 ? DType::i8 : DType::u8, x.device());
  backend_for("quantize_codes", Primitive::quantize_codes, {x}, {step})
      .quantize_codes(range, x.view(), step.view(), codes.view(), {});
  return codes;
}

std::vector<double> quantize_errors(const Tensor& x, const std::vector<double>& steps, QuantRange range) {
  const std::vector<float> values(steps.begin(), steps.end());
  const Tensor tried = Tensor::from({static_cast<int64_t>(steps.size())}, std::span<const float>(values), x.device());
  Tensor errors = Tensor::empty(tried.shape(), DType::f64, x.device());
  backend_for("quantize_errors", Primitive::quantize_error, {x}, {tried})
      .quantize_error(range, x.view(), tried.view(), errors.view());
  return errors.to_vector<double>();
}

}  // namespace ntq
