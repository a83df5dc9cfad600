#pragma once
// The two quantizers that a layer may own.
#include <memory>
#include <string>

#include "quant/quantizer.h"

namespace ntq {

/// For a layer's filters: named "<layer>.weight_quant" unless the spec has a name. Null for bits 32.
std::shared_ptr<Quantizer> make_weight_quantizer(QuantSpec spec, const std::string& layer);
/// For a layer's input: named "<layer>.input_quant" unless the spec has a name. Null for bits 32.
std::shared_ptr<Quantizer> make_input_quantizer(QuantSpec spec, const std::string& layer);

}  // namespace ntq
