#include "layers/linear.h"

#include <cmath>

#include "engine/ops/linear.h"
#include "layers/init.h"

namespace ntq {

Linear::Linear(const LinearOptions& options) : options_(options) {
  check(options.in_features >= 1 && options.out_features >= 1, "Linear ", options.name,
        ": features must be >= 1, found in ", options.in_features, ", out ", options.out_features);
  const double bound = 1.0 / std::sqrt(static_cast<double>(options.in_features));
  const std::string name = drawing_name(options.name, "layer", options.seed);
  const auto key = [&](const char* tensor) { return init_key(options.seed, name + "." + tensor); };
  const Shape weights{options.out_features, options.in_features};
  set_up(uniform_values(weights, bound, key("weight")),
         options.bias ? uniform_values({options.out_features}, bound, key("bias")) : Tensor(), options.weight_quant,
         options.input_quant, name);
}

void Linear::check_input(const Tensor& x) const {
  check(x.defined() && x.shape().rank() == 2 && x.size(1) == options_.in_features, "Linear ", options_.name,
        ": input must be {N,", options_.in_features, "}, found ", x.defined() ? x.shape().str() : "none");
}

Tensor Linear::product(const LayerInput& input, const LayerInput& weight) const { return linear(input, weight); }

}  // namespace ntq
