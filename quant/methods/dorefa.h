#pragma once
// DoReFa's weights, which PACT takes too.
#include "quant/method.h"

namespace ntq {

std::shared_ptr<Quantizer> make_dorefa_weights(const QuantSpec& spec);
/// "weight_grad", and oscillation_settings().
std::vector<Setting> dorefa_weight_settings();

}  // namespace ntq
