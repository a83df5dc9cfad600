#include "train/layer_report.h"

#include <set>

#include "engine/autograd.h"
#include "engine/ops/reduce.h"
#include "layers/weighted_layer.h"
#include "train/weight_figures.h"

namespace ntq {
namespace {

double step_or_0(const Quantizer& quantizer) {
  const Tensor step = mean_step(quantizer);
  return step ? static_cast<double>(step.item()) : 0;
}

LayerReport report(const std::string& name, const WeightedLayer& layer) {
  const Tensor& weight = layer.weight();
  LayerReport out;
  out.name = name;
  out.shape = weight.shape().str();
  out.weights = weight.numel();
  const WeightTensors tensors = weight_tensors(layer);
  const WeightFigures figures = read_figures(name, layer, tensors);
  out.weight_min = static_cast<double>(tensors.low.item());
  out.weight_max = static_cast<double>(tensors.high.item());
  out.weight_step = figures.step.value_or(0);
  out.weight_error = figures.error.value_or(0);
  out.clipped = figures.clipped.value_or(0);
  out.stored_bits = 32.0 * static_cast<double>(out.weights);
  if (const auto& q = layer.weight_quantizer()) {
    out.stored_bits = q->stored_bits(out.weights);
    out.learned_bits = q->learned_bits();
    out.method = q->spec().method;
    out.weight_bits = q->spec().bits;
    out.weight_steps = q->step() ? q->step().numel() : 0;
  }
  if (const auto& q = layer.input_quantizer()) {
    out.input_method = q->spec().method;
    out.input_bits = q->spec().bits;
    out.input_step = step_or_0(*q);
  }
  return out;
}

}  // namespace

std::vector<LayerReport> report_layers(Module& model) {
  const NoGrad no_grad;
  std::vector<LayerReport> layers;
  model.visit([&](const std::string& name, Module& module) {
    if (const auto* layer = dynamic_cast<const WeightedLayer*>(&module)) layers.push_back(report(name, *layer));
  });
  return layers;
}

std::vector<SkipReport> report_skips(Module& model) {
  const NoGrad no_grad;
  std::set<const Module*> of_layers;
  std::vector<SkipReport> skips;
  model.visit([&](const std::string& name, Module& module) {
    if (const auto* layer = dynamic_cast<const WeightedLayer*>(&module)) {
      of_layers.insert({layer->weight_quantizer().get(), layer->input_quantizer().get()});
    } else if (const auto* q = dynamic_cast<const Quantizer*>(&module); q && !of_layers.contains(q)) {
      skips.push_back({name, q->spec().method, q->spec().bits, q->spec().is_signed, step_or_0(*q)});
    }
  });
  return skips;
}

double deployed_bits(Module& model) {
  double bits = 0;
  int64_t others = model.parameter_count();
  model.visit([&](const std::string&, Module& module) {
    const auto* layer = dynamic_cast<const WeightedLayer*>(&module);
    if (layer == nullptr || !layer->weight_quantizer()) return;
    const int64_t weights = layer->weight().numel();
    bits += layer->weight_quantizer()->stored_bits(weights);
    others -= weights + layer->weight_quantizer()->parameter_count();
  });
  return bits + 32.0 * static_cast<double>(others);
}

}  // namespace ntq
