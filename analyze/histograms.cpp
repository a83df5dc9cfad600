#include "analyze/histograms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "analyze/layer_outputs.h"
#include "engine/autograd.h"
#include "layers/weighted_layer.h"
#include "quant/tree.h"
#include "train/calibrate.h"
#include "train/layer_report.h"

namespace ntq {
namespace {

std::vector<int64_t> binned(const std::vector<float>& values, double low, double high) {
  std::vector<int64_t> counts(kHistogramBins);
  const double width = high > low ? (high - low) / kHistogramBins : 1;
  for (const float v : values) {
    const auto bin = static_cast<int64_t>((static_cast<double>(v) - low) / width);
    ++counts[static_cast<size_t>(std::clamp<int64_t>(bin, 0, kHistogramBins - 1))];
  }
  return counts;
}

/// The values of a grid that all channels share, ascending.
std::vector<double> grid_values(const CodeGrid& grid) {
  const auto count = static_cast<int64_t>(grid.range.high - grid.range.low) + 1;
  std::vector<double> out;
  if (grid.levels) {
    for (const float level : grid.levels.to_vector()) out.push_back(static_cast<double>(level));
  } else if (grid.step) {
    const auto step = static_cast<double>(grid.step.item());
    const double offset = grid.offset ? static_cast<double>(grid.offset.item()) : 0;
    for (int64_t i = 0; i < count; ++i)
      out.push_back(step * (static_cast<double>(grid.range.low) + double(i)) + offset);
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool is_one_grid(const CodeGrid& grid) {
  return grid.levels ? grid.levels.shape().rank() == 1 : grid.step && grid.step.numel() == 1;
}

void count_levels(LayerHistogram& out, const std::vector<float>& quantized) {
  out.at_level.assign(out.levels.size(), 0);
  for (const float q : quantized) {
    const auto at = std::min_element(out.levels.begin(), out.levels.end(), [&](double a, double b) {
      return std::fabs(a - static_cast<double>(q)) < std::fabs(b - static_cast<double>(q));
    });
    ++out.at_level[static_cast<size_t>(at - out.levels.begin())];
  }
}

LayerHistogram of_layer(const LayerReport& report, const WeightedLayer& layer) {
  LayerHistogram out{.name = report.name, .method = report.method, .bits = report.weight_bits};
  out.weights = report.weights;
  out.step = report.weight_step;
  out.error = report.weight_error;
  out.clipped = report.clipped;
  const auto& q = layer.weight_quantizer();
  const std::vector<float> w = (q ? q->transformed(layer.weight()) : layer.weight()).to_vector();
  const auto [low, high] = std::minmax_element(w.begin(), w.end());
  out.low = static_cast<double>(*low), out.high = static_cast<double>(*high);
  out.counts = binned(w, out.low, out.high);
  if (!q) return out;
  const std::vector<float> quantized = q->forward(layer.weight()).to_vector();
  double signal = 0, error = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    const auto x = static_cast<double>(w[i]), e = x - static_cast<double>(quantized[i]);
    signal += x * x, error += e * e;
  }
  out.sqnr = sqnr_db(signal, error);
  const CodeGrid grid = q->grid();
  if (is_one_grid(grid)) {
    out.levels = grid_values(grid);
    count_levels(out, quantized);
  }
  return out;
}

/// Sums of squares of float outputs, and of what quantization changes in them, by layer.
class OutputSums {
 public:
  void add(Module& model, const LayerOutputs& outputs, const Tensor& images) {
    std::vector<std::vector<float>> floats;
    enable_quantizers(model, false);
    outputs.run(images, [&](const std::string&, const Tensor& y) { floats.push_back(y.to_vector()); });
    enable_quantizers(model, true);
    size_t at = 0;
    outputs.run(images, [&](const std::string& name, const Tensor& y) {
      const std::vector<float> quantized = y.to_vector();
      const std::vector<float> exact = std::move(floats[at++]);
      auto& [signal, error] = sums_[name];
      for (size_t i = 0; i < exact.size(); ++i) {
        const auto x = static_cast<double>(exact[i]), e = x - static_cast<double>(quantized[i]);
        signal += x * x, error += e * e;
      }
    });
  }
  std::optional<double> sqnr(const std::string& layer) const {
    const auto found = sums_.find(layer);
    if (found == sums_.end()) return std::nullopt;
    return sqnr_db(found->second.first, found->second.second);
  }

 private:
  std::map<std::string, std::pair<double, double>> sums_;
};

}  // namespace

double sqnr_db(double signal, double error) {
  return error > 0 ? 10 * std::log10(signal / error) : std::numeric_limits<double>::infinity();
}

std::vector<LayerHistogram> weight_histograms(Module& model) {
  const Restored as_before(model);
  check_ready(model);
  model.eval();
  const NoGrad values_only;
  std::vector<LayerHistogram> out;
  const std::vector<LayerReport> reports = report_layers(model);
  size_t at = 0;
  model.visit([&](const std::string&, Module& module) {
    const auto* layer = dynamic_cast<const WeightedLayer*>(&module);
    if (layer != nullptr) out.push_back(of_layer(reports[at++], *layer));
  });
  return out;
}

Histograms histograms(Module& model, DataLoader& loader, const PassHook& hook) {
  Histograms out{.layers = weight_histograms(model)};
  if (Quantizers(model).size() == 0) return out;
  const Restored as_before(model);
  model.eval();
  const NoGrad values_only;
  OutputSums sums;
  std::optional<LayerOutputs> outputs;
  out.images = each_batch(model, loader, hook, [&](const Batch& batch) {
    if (!outputs) outputs.emplace(model, batch.images);
    sums.add(model, *outputs, batch.images);
  });
  for (LayerHistogram& layer : out.layers) layer.output_sqnr = sums.sqnr(layer.name);
  return out;
}

}  // namespace ntq
