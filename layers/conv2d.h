#pragma once
// Convolution with an optional quantizer on its input and one on its filters.
#include <memory>

#include "engine/module.h"
#include "quant/quantizer.h"

namespace ntq {

struct Conv2dOptions {
  int64_t in_channels = 1, out_channels = 1, kernel = 3, stride = 1, padding = 0;
  bool bias = false;
  QuantSpec weight_quant = {}, input_quant = {};  ///< bits 32: none
  uint64_t seed = 0;                              ///< of the initial filters
  std::string name = {};  ///< dotted name in the model: random numbers (drawing_name() without one), errors
};

/// y {N,Ho,Wo,Cout} = conv(Qx(x), Qw(weight)) [+ bias], Ho = (H + 2 padding - kernel) / stride + 1.
/// Parameters: weight {Cout,K,K,Cin} (He normal, fan out), bias {Cout} (zeros). Children: input_quant, weight_quant.
class Conv2d : public Module {
 public:
  explicit Conv2d(const Conv2dOptions& options);
  Tensor forward(const Tensor& x) override;
  const Conv2dOptions& options() const { return options_; }
  const Tensor& weight() const { return weight_; }
  const std::shared_ptr<Quantizer>& weight_quantizer() const { return weight_quant_; }
  const std::shared_ptr<Quantizer>& input_quantizer() const { return input_quant_; }

 private:
  Conv2dOptions options_;
  Tensor weight_, bias_;
  std::shared_ptr<Quantizer> input_quant_, weight_quant_;
};

}  // namespace ntq
