#pragma once
// The two quantizers that a layer may own.
#include <memory>
#include <string>

#include "quant/method.h"

namespace ntq {

/// For a layer's weight (of this shape, which steps per channel need): named "<layer>.weight_quant" unless the spec has
/// a name. Null for bits 32.
std::shared_ptr<Quantizer> make_weight_quantizer(QuantSpec spec, const std::string& layer, const Shape& weight = {});
/// For a layer's input: named "<layer>.input_quant" unless the spec has a name. Null for bits 32.
std::shared_ptr<Quantizer> make_input_quantizer(QuantSpec spec, const std::string& layer);

}  // namespace ntq
