#include "layers/weighted_layer.h"

#include "engine/ops/binary.h"
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

Tensor WeightedLayer::forward(const Tensor& x) {
  check_input(x);
  return output(apply_quantizer(input_quant_, x));
}

Tensor WeightedLayer::forward(const Codes& x) {
  check_input(x.values);
  return output(x);
}

Tensor WeightedLayer::quantized_bias() const {
  if (!bias_ || !weight_quant_ || !weight_quant_->enabled()) return bias_;
  return weight_quant_->bias(bias_, input_quant_.get());
}

// The gradients use these same tensors: the noisy weight for dx, the quantized input for dw.
Tensor WeightedLayer::output(const LayerInput& input) const {
  const Tensor y = product(input, apply_quantizer(weight_quant_, weight_));
  return bias_ ? add(y, quantized_bias()) : y;
}

}  // namespace ntq
