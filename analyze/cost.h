#pragma once
// What layers cost: products of one image, and their bits.
#include "engine/module.h"

namespace ntq {

/// A convolution or linear layer as it computes, in the order of computation.
struct LayerCost {
  std::string name;
  int64_t macs = 0;  ///< multiply-adds of one image
  int weight_bits = 32, input_bits = 32;
  double bops() const { return static_cast<double>(macs) * weight_bits * input_bits; }
};

/// Of a network for images {N,H,W,C} of this shape; floats count as 32 bits. Runs one black image through the model,
/// which is as before afterwards. BOPs of the whole network are their sum.
std::vector<LayerCost> layer_costs(Module& model, const Shape& images);

}  // namespace ntq
