#pragma once
// What each layer's quantization costs: AIMET's two analyses, "only this layer" and "all but this layer".
#include "analyze/cost.h"
#include "analyze/model_loss.h"

namespace ntq {

/// Loss and top-1 over the images, in the arithmetic of training (not as deployed: layers are switched one by one).
struct Score {
  double loss = 0, top1 = 0;  ///< mean; percent
};

struct LayerSensitivity {
  LayerCost layer;
  Score only, without;  ///< this layer alone quantized; all but this layer
};

struct Sensitivity {
  int64_t images = 0;
  Score all, none, weights, inputs;      ///< all quantizers on, none, those of weights alone, those of inputs alone
  std::vector<LayerSensitivity> layers;  ///< those with quantizers, in the order of computation
};

/// Passes over the data: 2 for each layer with quantizers, and 4.
int64_t sensitivity_passes(Module& model);
/// Leaves the model as it was. Throws std::invalid_argument without any quantizer, or with one that is not ready. A
/// quantizer of a residual sum belongs to no layer: it is on with all, and with the inputs.
Sensitivity sensitivity(Module& model, DataLoader& loader, const PassHook& hook = {});

}  // namespace ntq
