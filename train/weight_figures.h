#pragma once
// What quantization does to a layer's weights at one moment.
#include <optional>
#include <string>
#include <vector>

#include "layers/weighted_layer.h"

namespace ntq {

/// {1}, on its device: the distance of neighbouring values, of several steps the mean; of a table of levels, whose
/// distances differ, their mean too. Undefined for methods without codes, and where a table is not set yet.
Tensor mean_step(const Quantizer& quantizer);

/// Still on the weight's device, {1} each. Undefined but for the range: full precision, or first values that are not
/// set yet; `step`, `clipped`: a method without.
struct WeightTensors {
  Tensor low, high;     ///< of the weights
  Tensor step = {};     ///< mean_step()
  Tensor error = {};    ///< sum of |Q(w) - w|, no noise; float64
  Tensor clipped = {};  ///< number of weights beyond the ends of their grid
};
/// Leaves the layer as it is, the mode of its quantizer included.
WeightTensors weight_tensors(const WeightedLayer& layer);

/// The same on the host. Nothing where there is nothing to tell: in full precision, of methods without codes.
struct WeightFigures {
  std::string layer;
  int bits = 32;
  int64_t weights = 0;
  double max_weight = 0;                   ///< largest |w|
  std::optional<double> step = {};         ///< mean_step()
  std::optional<double> error = {};        ///< mean |Q(w) - w|
  std::optional<double> oscillating = {};  ///< share of the weights (weight_statistics.h); none on a device that makes
                                           ///< no codes
  std::optional<double> clipped = {};      ///< share of the weights
};
WeightFigures read_figures(const std::string& name, const WeightedLayer& layer, const WeightTensors& tensors);
/// Of all layers that have weights, in the model's order.
std::vector<WeightFigures> weight_figures(Module& model);

/// Of a model: means over layers of the step and of the largest |w|, all else over weights; of the layers that have it.
struct WeightMeans {
  double max_weight = 0;
  std::optional<double> step, error, oscillating, clipped;
};
WeightMeans weight_means(const std::vector<WeightFigures>& layers);

}  // namespace ntq
