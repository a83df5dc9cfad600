#pragma once
// The methods that come with the library. Listed by hand: a static library drops objects that only register themselves.
#include <map>
#include <string>

#include "quant/quantizer.h"

namespace ntq {

std::map<std::string, QuantizerFactory> builtin_methods();

}  // namespace ntq
