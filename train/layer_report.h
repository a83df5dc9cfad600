#pragma once
// What quantization does to each layer: bits, steps, mean |Q(w) - w|, range of the weights.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/module.h"

namespace ntq {

/// One convolution or linear layer; bits 32 stands for full precision, its step and error are 0 then.
struct LayerReport {
  std::string name, shape;
  int64_t weights = 0;
  std::string method, input_method;  ///< of the weights, of the input; "" in full precision
  int weight_bits = 32, input_bits = 32;
  double weight_step = 0, input_step = 0;   ///< mean_step() (weight_figures.h); 0 before it is set
  std::optional<double> learned_bits = {};  ///< of the weights, where the method learns them: the mean
  double stored_bits = 0;                   ///< that the weights take, with what decodes them
  int64_t weight_steps = 0;                 ///< how many: 1, or one for each output channel; 0 with a table of levels
  double weight_error = 0;                  ///< mean |Q(w) - w|, no noise
  double clipped = 0;                       ///< share of the weights beyond the ends of their grid
  double weight_min = 0, weight_max = 0;
};

/// Bits of the model as it is deployed: weights as their methods store them, all other parameters as float32.
double deployed_bits(Module& model);

/// In the model's order. Leaves the model as it is, the mode of its quantizers included.
std::vector<LayerReport> report_layers(Module& model);

/// A quantizer that belongs to no layer: of a residual sum.
struct SkipReport {
  std::string name, method;
  int bits = 32;
  bool is_signed = false;
  double step = 0;  ///< 0 before it is set
};
/// In the model's order; none without ModelOptions::skip_bits.
std::vector<SkipReport> report_skips(Module& model);

}  // namespace ntq
