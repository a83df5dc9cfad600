#pragma once
// Fully connected layer with an optional quantizer on its input and one on its weights.
#include <memory>

#include "engine/module.h"
#include "quant/quantizer.h"

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
class Linear : public Module {
 public:
  explicit Linear(const LinearOptions& options);
  Tensor forward(const Tensor& x) override;
  const LinearOptions& options() const { return options_; }
  const Tensor& weight() const { return weight_; }
  const std::shared_ptr<Quantizer>& weight_quantizer() const { return weight_quant_; }
  const std::shared_ptr<Quantizer>& input_quantizer() const { return input_quant_; }

 private:
  LinearOptions options_;
  Tensor weight_, bias_;
  std::shared_ptr<Quantizer> input_quant_, weight_quant_;
};

}  // namespace ntq
