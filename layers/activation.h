#pragma once
// Activations as modules, for Sequential; models fuse the ReLU into batch norm where they can.
#include "engine/module.h"
#include "engine/ops/unary.h"

namespace ntq {

/// max(x, 0)
class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override { return relu(x); }
};

}  // namespace ntq
