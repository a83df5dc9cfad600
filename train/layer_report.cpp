#include "train/layer_report.h"

#include <cmath>
#include <set>

#include "engine/autograd.h"
#include "engine/ops/reduce.h"
#include "layers/weighted_layer.h"

namespace ntq {
namespace {

double mean_error(Quantizer& quantizer, const Tensor& weight) {
  const bool was_training = quantizer.training();
  quantizer.eval();
  const Tensor quantized = quantizer.forward(weight).to(Device()), meant = quantizer.transform(weight).to(Device());
  quantizer.train(was_training);
  double sum = 0;
  const float *q = quantized.f32(), *w = meant.f32();
  for (int64_t i = 0; i < weight.numel(); ++i) sum += std::fabs(static_cast<double>(q[i]) - static_cast<double>(w[i]));
  return sum / static_cast<double>(weight.numel());
}

/// Mean of the steps; 0 before they are set, and without any.
double mean_step(const Quantizer& quantizer) {
  const Tensor step = quantizer.step();
  return step ? static_cast<double>(mean(step).item()) : 0;
}

LayerReport report(const std::string& name, const WeightedLayer& layer) {
  const Tensor& weight = layer.weight();
  LayerReport out;
  out.name = name;
  out.shape = weight.shape().str();
  out.weights = weight.numel();
  out.weight_min = static_cast<double>(min(weight).item());
  out.weight_max = static_cast<double>(max(weight).item());
  out.stored_bits = 32.0 * static_cast<double>(out.weights);
  if (const auto& q = layer.weight_quantizer()) {
    out.stored_bits = q->stored_bits(out.weights);
    out.learned_bits = q->learned_bits();
    out.method = q->spec().method;
    out.weight_bits = q->spec().bits;
    out.weight_step = mean_step(*q);
    out.weight_steps = q->step() ? q->step().numel() : 0;
    // Others wait for the first batch; a forward pass now would set them.
    if (q->ready()) out.weight_error = mean_error(*q, weight);
  }
  if (const auto& q = layer.input_quantizer()) {
    out.input_method = q->spec().method;
    out.input_bits = q->spec().bits;
    out.input_step = mean_step(*q);
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
      skips.push_back({name, q->spec().method, q->spec().bits, q->spec().is_signed, mean_step(*q)});
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

QuantMeans quant_means(const std::vector<LayerReport>& layers) {
  QuantMeans means;
  int64_t quantized = 0, weights = 0;
  for (const auto& layer : layers) {
    if (layer.weight_bits == 32) continue;
    ++quantized;
    weights += layer.weights;
    means.step += layer.weight_step;
    means.error += layer.weight_error * static_cast<double>(layer.weights);
  }
  if (quantized == 0) return {};
  return {means.step / static_cast<double>(quantized), means.error / static_cast<double>(weights)};
}

}  // namespace ntq
