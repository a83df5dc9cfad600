#pragma once
// Where a loss that is not a number comes from.
#include <string>

#include "engine/module.h"

namespace ntq::apps {

/// The first layer, in the order of computation, with a value that is not finite: "parameter layer1.0.conv1.weight" or
/// "output of layer1.0.conv1". `loss` must not have gone through backward() yet: its graph is read. Without a loss only
/// parameters and buffers are searched; "" when they are finite.
std::string first_not_finite(const Module& model, const Tensor& loss);

}  // namespace ntq::apps
