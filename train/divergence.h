#pragma once
// Where a loss that is not a number comes from.
#include <functional>
#include <string>

#include "engine/module.h"

namespace ntq {

/// The first parameter or buffer with a value that is not finite: "parameter layer1.0.conv1.weight", or a parameter
/// below the floor that its traits set: a quantizer's step that no grid has. "" without any.
std::string first_not_finite(const Module& model);

/// The same of parameters, then of the ops of `compute`, a forward pass from `input` with what follows it, in the order
/// of computation: "output of layer1.0.conv1 (conv2d)", with the nearest layer that stands behind the op. Runs it once
/// more, in the mode that the model has, and puts buffers back; "" when all is finite this time.
std::string first_not_finite(Module& model, const Tensor& input, const std::function<Tensor()>& compute);

}  // namespace ntq
