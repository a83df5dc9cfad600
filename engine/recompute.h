#pragma once
// Less memory for more time: a part of a model of whose graph nothing is kept but its input (Chen et al., "Training
// Deep Nets with Sublinear Memory Cost", arXiv 1604.06174).
#include <memory>

#include "engine/module.h"

namespace ntq {

/// part->forward(x), which runs again for the gradient: the same values, as buffers are what they were, and are as the
/// first run left them afterwards. Gradients have the bits that they have without it.
Tensor recomputed(const std::shared_ptr<Module>& part, const Tensor& x);

}  // namespace ntq
