#pragma once
// DoReFa's weights, which PACT takes too.
#include "quant/method.h"

namespace ntq {

std::shared_ptr<Quantizer> make_dorefa_weights(const QuantSpec& spec);
/// "weight_grad", which it reads.
Setting dorefa_weight_setting();

}  // namespace ntq
