#include "layers/linear.h"

#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/conv.h"
#include "layers/init.h"
#include "layers/layer_quant.h"

namespace ntq {

Linear::Linear(const LinearOptions& options) : options_(options) {
  check(options.in_features >= 1 && options.out_features >= 1, "Linear ", options.name,
        ": features must be >= 1, found in ", options.in_features, ", out ", options.out_features);
  const double bound = 1.0 / std::sqrt(static_cast<double>(options.in_features));
  const std::string name = drawing_name(options.name, "layer", options.seed);
  const auto key = [&](const char* tensor) { return init_key(options.seed, name + "." + tensor); };
  const Shape weights{options.out_features, options.in_features};
  weight_ = register_parameter("weight", uniform_values(weights, bound, key("weight")));
  if (options.bias) bias_ = register_parameter("bias", uniform_values({options.out_features}, bound, key("bias")));
  input_quant_ = make_input_quantizer(options.input_quant, name);
  weight_quant_ = make_weight_quantizer(options.weight_quant, name);
  if (input_quant_) register_module("input_quant", input_quant_);
  if (weight_quant_) register_module("weight_quant", weight_quant_);
}

Tensor Linear::forward(const Tensor& x) {
  check(x.defined() && x.shape().rank() == 2 && x.size(1) == options_.in_features, "Linear ", options_.name,
        ": input must be {N,", options_.in_features, "}, found ", x.defined() ? x.shape().str() : "none");
  const Tensor input = apply_quantizer(input_quant_, x);
  const Tensor weight = apply_quantizer(weight_quant_, weight_);
  const Tensor y = linear(input, weight);
  return bias_.defined() ? add(y, bias_) : y;
}

}  // namespace ntq
