#include "layers/weighted_layer.h"

#include "engine/ops/binary.h"
#include "engine/ops/kept_codes.h"
#include "layers/layer_quant.h"

namespace ntq {

void WeightedLayer::set_up(Tensor weight, Tensor bias, const QuantSpec& weight_quant, const QuantSpec& input_quant,
                           const std::string& name) {
  weight_ = register_parameter("weight", std::move(weight));
  if (bias) bias_ = register_parameter("bias", std::move(bias));
  input_quant_ = make_input_quantizer(input_quant, name);
  weight_quant_ = make_weight_quantizer(weight_quant, name, weight_.shape());
  if (input_quant_) register_module("input_quant", input_quant_);
  if (weight_quant_) register_module("weight_quant", weight_quant_);
}

/// Of the input's quantizer, where codes are kept of `x` or of what has its shape and is made of it.
std::optional<PlainSteps> WeightedLayer::kept_steps(const Tensor& x) const {
  if (!input_quant_ || !input_quant_->enabled() || x.numel() == 0) return std::nullopt;
  const std::optional<PlainSteps> steps = input_quant_->plain_steps(x);
  return steps && keeps_codes(x, *steps) ? steps : std::nullopt;
}

/// Steps that the first input sets are set from its values, so that codes are kept of these too.
void WeightedLayer::take_first_steps(const Tensor& values) {
  const NoGrad no_grad;
  input_quant_->forward(values);
}

Tensor WeightedLayer::forward(const Tensor& x) {
  check_input(x);
  if (const auto steps = kept_steps(x)) {
    if (!input_quant_->ready()) take_first_steps(x);
    return output(quantize_kept(x, *steps));
  }
  return output(apply_quantizer(input_quant_, x));
}

Tensor WeightedLayer::forward(const Codes& x) {
  check_input(x.values);
  return output(x);
}

Tensor WeightedLayer::forward_behind(BatchNorm2d& norm, const Tensor& x) {
  if (const auto steps = kept_steps(x)) {
    if (!input_quant_->ready()) take_first_steps(norm.preview_relu(x));
    return forward(norm.forward_relu_codes(x, *steps));
  }
  return forward(norm.forward_relu(x));
}

Tensor WeightedLayer::quantized_bias() const {
  if (!bias_ || !weight_quant_ || !weight_quant_->enabled()) return bias_;
  return weight_quant_->bias(bias_, input_quant_.get());
}

/// Codes beside kept ones, where the weight has some: their product is one of integers.
LayerInput WeightedLayer::filters(const LayerInput& input) const {
  if (!weight_quant_ || !weight_quant_->enabled()) return weight_;
  if (input.kept() && weight_quant_->ready()) {
    const auto steps = weight_quant_->plain_steps(weight_);
    if (steps && keeps_codes(weight_, *steps)) return quantize_kept(weight_, *steps);
  }
  return weight_quant_->forward(weight_);
}

// The gradients use these same values: the noisy weight for dx, the quantized input for dw.
Tensor WeightedLayer::output(const LayerInput& input) const {
  const Tensor y = product(input, filters(input));
  return bias_ ? add(y, quantized_bias()) : y;
}

}  // namespace ntq
