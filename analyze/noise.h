#pragma once
// How much variance the noise of a quantizer's training puts into gradients and, through momentum, into a step's
// update.
#include "analyze/model_loss.h"

namespace ntq {

/// Variances are means over a layer's weights, without the factor lr^2 that an update has.
struct LayerNoise {
  std::string name;
  int64_t weights = 0;
  double weight = 0;    ///< standard deviation of the noise on the weights
  double gradient = 0;  ///< variance that it puts into one gradient
  double update = 0;    ///< variance that it puts into u_t = m u_(t-1) + g_t
  double batches = 0;   ///< variance of the gradient from batch to batch, noise aside
  /// The NTQ paper's Eq. 5 and 14 predict 1 / (1 - m^2); 0 without any noise.
  double factor() const { return gradient > 0 ? update / gradient : 0; }
};

struct NoiseReport {
  double predicted = 1;  ///< 1 / (1 - m^2)
  int64_t steps = 0, settling = 0;
  std::vector<LayerNoise> layers = {};  ///< those with a weight quantizer
  LayerNoise all = {};                  ///< over all trained parameters; `weight` over all quantized weights
};

struct NoiseOptions {
  double momentum = 0.9;  ///< in [0, 1)
  int64_t steps = 50;     ///< whose variance is measured, after `settling` ones: until m^2t is below 0.01
  LossFn loss = cross_entropy();
  PassHook hook = {};  ///< after each step
};

/// Steps of training with the weights held where they are: each takes the loader's next batch twice, with noise of its
/// own (the quantizers' draws of two training steps); half the mean square of what the two differ by is the variance,
/// without a mean to be known. Batch norm uses the batch's statistics, as in training. Leaves the model as it was.
/// Throws std::invalid_argument without quantizers of weights.
NoiseReport measure_noise(Module& model, DataLoader& loader, const NoiseOptions& options);
int64_t settling_steps(double momentum);

}  // namespace ntq
