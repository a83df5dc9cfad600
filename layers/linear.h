#pragma once
// Fully connected layer with an optional quantizer on its input and one on its weights.
#include "layers/weighted_layer.h"

namespace ntq {

struct LinearOptions {
  int64_t in_features = 1, out_features = 1;
  bool bias = true;
  QuantSpec weight_quant = {}, input_quant = {};  ///< bits 32: none
  uint64_t seed = 0;
  std::string name = {};  ///< as Conv2dOptions::name
};

/// y {N,out} = Qx(x) Qw(weight)^T [+ bias]. Parameters: weight {out,in} and bias {out}, both uniform in
/// +-1/sqrt(in). Children: input_quant, weight_quant.
class Linear : public WeightedLayer {
 public:
  explicit Linear(const LinearOptions& options);
  const LinearOptions& options() const { return options_; }

 private:
  void check_input(const Tensor& x) const override;
  Tensor product(const LayerInput& input, const LayerInput& weight) const override;

  LinearOptions options_;
};

}  // namespace ntq
