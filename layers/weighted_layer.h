#pragma once
// What convolutions and linear layers have in common: a weight, perhaps a bias, a quantizer on the input and one on the
// weight.
#include <memory>
#include <string>

#include "engine/module.h"
#include "layers/batch_norm.h"
#include "quant/quantizer.h"

namespace ntq {

/// y = product(Qx(x), Qw(weight)) [+ bias]. Parameters: weight, bias. Children: input_quant, weight_quant.
class WeightedLayer : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  /// Codes stand for their exact values; they are quantized already, so the input's quantizer has nothing to do.
  Tensor forward(const Codes& x);
  /// forward(norm.forward_relu(x)). In training the input's values are in no memory where its quantizer is a plain one:
  /// codes are kept, the rest is computed again.
  Tensor forward_behind(BatchNorm2d& norm, const Tensor& x);
  const Tensor& weight() const { return weight_; }
  /// Undefined without one.
  const Tensor& bias() const { return bias_; }
  /// The bias to compute with: as the weight's method has it.
  Tensor quantized_bias() const;
  /// Null in full precision.
  const std::shared_ptr<Quantizer>& weight_quantizer() const { return weight_quant_; }
  const std::shared_ptr<Quantizer>& input_quantizer() const { return input_quant_; }

 protected:
  WeightedLayer() = default;
  /// For the constructor; `bias` may be undefined. `name`: of the quantizers' random numbers.
  void set_up(Tensor weight, Tensor bias, const QuantSpec& weight_quant, const QuantSpec& input_quant,
              const std::string& name);
  /// Throws std::invalid_argument for what the layer cannot take.
  virtual void check_input(const Tensor& x) const = 0;
  virtual Tensor product(const LayerInput& input, const LayerInput& weight) const = 0;

 private:
  std::optional<PlainSteps> kept_steps(const Tensor& x) const;
  void take_first_steps(const Tensor& values);
  LayerInput filters(const LayerInput& input) const;
  Tensor output(const LayerInput& input) const;
  Tensor weight_, bias_;
  std::shared_ptr<Quantizer> input_quant_, weight_quant_;
};

}  // namespace ntq
