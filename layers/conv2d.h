#pragma once
// Convolution with an optional quantizer on its input and one on its filters.
#include "layers/weighted_layer.h"

namespace ntq {

struct Conv2dOptions {
  int64_t in_channels = 1, out_channels = 1, kernel = 3, stride = 1, padding = 0, groups = 1;
  bool bias = false;
  QuantSpec weight_quant = {}, input_quant = {};  ///< bits 32: none
  uint64_t seed = 0;                              ///< of the initial filters
  std::string name = {};  ///< dotted name in the model: random numbers (drawing_name() without one), errors
};

/// y {N,Ho,Wo,Cout} = conv(Qx(x), Qw(weight)) [+ bias], Ho = (H + 2 padding - kernel) / stride + 1.
/// Groups other than 1 are refused yet, by std::invalid_argument.
/// Parameters: weight {Cout,K,K,Cin} (He normal, fan out), bias {Cout} (zeros). Children: input_quant, weight_quant.
class Conv2d : public WeightedLayer {
 public:
  explicit Conv2d(const Conv2dOptions& options);
  const Conv2dOptions& options() const { return options_; }

 private:
  void check_input(const Tensor& x) const override;
  Tensor product(const LayerInput& input, const LayerInput& weight) const override;

  Conv2dOptions options_;
};

}  // namespace ntq
