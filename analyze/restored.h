#pragma once
// An analysis changes a network to see what happens; afterwards it is what it was.
#include <vector>

#include "quant/quantizer.h"

namespace ntq {

/// When it ends, the model has its values (parameters and buffers), gradients, modes, and quantizers on or off as it
/// had them, and needs gradients where it did.
class Restored {
 public:
  explicit Restored(Module& model);
  ~Restored();
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  struct OfParameter {
    Tensor value, gradient;
    bool requires_grad;
  };
  Module& model_;
  NamedTensors values_;
  std::vector<OfParameter> parameters_;
  std::vector<bool> training_, enabled_;
};

/// Throws std::invalid_argument, naming the layer, for a quantizer that has no step yet.
void check_ready(Module& model);

}  // namespace ntq
