#pragma once
// What the convolutions and linear layers of a network give, as they compute.
#include <functional>
#include <string>

#include "engine/module.h"

namespace ntq {

/// Called with the layer's dotted name and its output, bias aside, in the order of computation.
using OutputObserver = std::function<void(const std::string& layer, const Tensor& output)>;

/// Runs the images through the model as it stands, without gradients. With quantizers off `names` is taken down, and a
/// later run, with them on or off, names its layers from it: quantized weights hide whose they are.
class LayerOutputs {
 public:
  /// All quantizers of the model are off for this one pass, and as before afterwards.
  LayerOutputs(Module& model, const Tensor& images);
  void run(const Tensor& images, const OutputObserver& see) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  Module& model_;
  std::vector<std::string> names_;
};

}  // namespace ntq
