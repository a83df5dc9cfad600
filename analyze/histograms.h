#pragma once
// What quantization does to the values of each layer: histograms, clipping, and the ratio of signal to quantization
// error.
#include <optional>

#include "analyze/model_loss.h"

namespace ntq {

constexpr int kHistogramBins = 128;

/// 20 log10(|x| / |x - Q(x)|) from sums of squares, in dB; infinite without an error.
double sqnr_db(double signal, double error);

struct LayerHistogram {
  std::string name, method;  ///< method "" in full precision
  int bits = 32;
  int64_t weights = 0;
  double low = 0, high = 0;                ///< of the weights as they are quantized: the histogram's range
  std::vector<int64_t> counts = {};        ///< in kHistogramBins bins of equal width
  double step = 0;                         ///< of several, the mean
  double error = 0;                        ///< mean |Q(w) - w| (Table 6a)
  double clipped = 0;                      ///< share of the weights beyond the grid's ends
  double sqnr = 0;                         ///< of the weights, in dB
  std::vector<double> levels = {};         ///< the grid's values, ascending, where one grid serves the whole layer
  std::vector<int64_t> at_level = {};      ///< weights at each
  std::optional<double> output_sqnr = {};  ///< of the layer's output against the float network's, in dB
};

/// Of all convolutions and linear layers, in the model's order, from the weights alone: no output_sqnr. Of those in
/// full precision the histogram alone. Leaves the model as it was. Throws std::invalid_argument for a quantizer without
/// a step.
std::vector<LayerHistogram> weight_histograms(Module& model);

struct Histograms {
  int64_t images = 0;  ///< that the outputs were compared on
  std::vector<LayerHistogram> layers;
};

/// The same, with outputs compared where some layer is quantized: one pass with all quantizers off and one with all on,
/// side by side.
Histograms histograms(Module& model, DataLoader& loader, const PassHook& hook = {});

}  // namespace ntq
