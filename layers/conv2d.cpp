#include "layers/conv2d.h"

#include "engine/ops/binary.h"
#include "engine/ops/conv.h"
#include "layers/init.h"
#include "layers/layer_quant.h"

namespace ntq {
namespace {

const Conv2dOptions& checked(const Conv2dOptions& o) {
  constexpr int64_t kMost = int64_t{1} << 30;
  const auto fits = [](int64_t size, int64_t least) { return size >= least && size <= kMost; };
  check(
      fits(o.in_channels, 1) && fits(o.out_channels, 1) && fits(o.kernel, 1) && fits(o.stride, 1) && fits(o.padding, 0),
      "Conv2d ", o.name, ": channels, kernel and stride must be >= 1 and padding >= 0, none above 2^30, found in ",
      o.in_channels, ", out ", o.out_channels, ", kernel ", o.kernel, ", stride ", o.stride, ", padding ", o.padding);
  return o;
}

}  // namespace

Conv2d::Conv2d(const Conv2dOptions& options) : options_(checked(options)) {
  const Shape filters{options.out_channels, options.kernel, options.kernel, options.in_channels};
  const std::string name = drawing_name(options.name, "layer", options.seed);
  weight_ = register_parameter("weight", he_normal_filters(filters, init_key(options.seed, name + ".weight")));
  if (options.bias) bias_ = register_parameter("bias", Tensor::zeros({options.out_channels}));
  input_quant_ = make_input_quantizer(options.input_quant, name);
  weight_quant_ = make_weight_quantizer(options.weight_quant, name);
  if (input_quant_) register_module("input_quant", input_quant_);
  if (weight_quant_) register_module("weight_quant", weight_quant_);
}

Tensor Conv2d::forward(const Tensor& x) {
  check(x.defined() && x.shape().rank() == 4 && x.size(3) == options_.in_channels, "Conv2d ", options_.name,
        ": input must be {N,H,W,", options_.in_channels, "}, found ", x.defined() ? x.shape().str() : "none");
  const int64_t smallest = options_.kernel - 2 * options_.padding;
  check(x.size(1) >= smallest && x.size(2) >= smallest, "Conv2d ", options_.name, ": images must be at least ",
        smallest, " pixels high and wide for kernel ", options_.kernel, " and padding ", options_.padding, ", found ",
        x.shape());
  // The gradients use these same tensors: the noisy weight for dx, the quantized input for dw.
  const Tensor input = apply_quantizer(input_quant_, x);
  const Tensor weight = apply_quantizer(weight_quant_, weight_);
  const Tensor y = conv2d(input, weight, {.stride = options_.stride, .padding = options_.padding});
  return bias_.defined() ? add(y, bias_) : y;
}

}  // namespace ntq
