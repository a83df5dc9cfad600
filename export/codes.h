#pragma once
// What a quantizer makes of a tensor, in the terms of the deploy graph. Internal to lower.h.
#include <string>
#include <vector>

#include "infer/graph.h"
#include "quant/quantizer.h"

namespace ntq {

struct WeightForm {
  infer::Weights weights;
  std::vector<double> step = {};  ///< of each output channel: value = step * count; of levels and floats 1
  std::string why_float = {};     ///< there are no codes of even steps
};

/// Of a weight {Cout,Kh,Kw,Cin} or {Cout,in}. Where zero lies between two codes (DoReFa), or so far from their middle
/// that they would need a bit more (asymmetric ranges), code 0 stands for halves of a step. Uneven ones have levels.
WeightForm weight_form(const Quantizer& quantizer, const Tensor& weight);
/// The same in full precision.
WeightForm float_weights(const Tensor& weight, const std::string& why);

struct InputForm {
  infer::InputCodes codes;
  double step = 1;             ///< value = step * code + codes.offset; of levels 1
  std::string why_float = {};  ///< the codes' values are not evenly spaced
};

/// Where the method does not round x / step (its own transform comes before, say), the inputs at which its codes
/// change are found by asking encode().
InputForm input_form(const Quantizer& quantizer);

}  // namespace ntq
