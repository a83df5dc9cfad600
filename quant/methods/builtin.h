#pragma once
// The methods that come with the library. Listed by hand: a static library drops objects that only register themselves.
#include <vector>

#include "quant/method.h"

namespace ntq {

std::vector<QuantMethod> builtin_methods();

}  // namespace ntq
