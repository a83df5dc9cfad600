#include "apps/layer_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/text.h"
#include "engine/autograd.h"
#include "engine/ops/reduce.h"
#include "layers/weighted_layer.h"

namespace ntq::apps {
namespace {

double mean_error(Quantizer& quantizer, const Tensor& weight) {
  const bool was_training = quantizer.training();
  quantizer.eval();
  const Tensor quantized = quantizer.forward(weight), meant = quantizer.transform(weight);
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
  const auto [low, high] = std::minmax_element(weight.f32(), weight.f32() + weight.numel());
  out.weight_min = static_cast<double>(*low);
  out.weight_max = static_cast<double>(*high);
  if (const auto& q = layer.weight_quantizer()) {
    out.method = q->spec().method;
    out.weight_bits = q->spec().bits;
    out.weight_step = mean_step(*q);
    out.weight_steps = q->step() ? q->step().numel() : 0;
    // Others wait for the first batch; a forward pass now would set them.
    if (q->ready()) out.weight_error = mean_error(*q, weight);
  }
  if (const auto& q = layer.input_quantizer()) {
    out.method = q->spec().method;
    out.input_bits = q->spec().bits;
    out.input_step = mean_step(*q);
  }
  return out;
}

std::string bits_text(int bits) { return bits == 32 ? "fp" : std::to_string(bits); }

}  // namespace

std::vector<LayerReport> report_layers(Module& model) {
  const NoGrad no_grad;
  std::vector<LayerReport> layers;
  model.visit([&](const std::string& name, Module& module) {
    if (const auto* layer = dynamic_cast<const WeightedLayer*>(&module)) layers.push_back(report(name, *layer));
  });
  return layers;
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

std::string layer_table(const std::vector<LayerReport>& layers) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "weights", "method", "w bits", "w step", "|Q(w)-w|", "w min", "w max", "x bits", "x step"}};
  for (const auto& l : layers) {
    const bool w = l.weight_bits != 32, x = l.input_bits != 32;
    rows.push_back({l.name, l.shape, l.method.empty() ? "-" : l.method, bits_text(l.weight_bits),
                    w ? general(l.weight_step, 4) : "-", w ? general(l.weight_error, 4) : "-", fixed(l.weight_min, 4),
                    fixed(l.weight_max, 4), bits_text(l.input_bits), x ? general(l.input_step, 4) : "-"});
  }
  return table(rows);
}

nlohmann::ordered_json layers_to_json(const std::vector<LayerReport>& layers) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& l : layers) {
    out.push_back({{"name", l.name},
                   {"shape", l.shape},
                   {"method", l.method},
                   {"weight_bits", l.weight_bits},
                   {"weight_step", l.weight_step},
                   {"weight_steps", l.weight_steps},
                   {"weight_error", l.weight_error},
                   {"weight_min", l.weight_min},
                   {"weight_max", l.weight_max},
                   {"input_bits", l.input_bits},
                   {"input_step", l.input_step}});
  }
  return out;
}

nlohmann::ordered_json quantization_json(Module& model) {
  auto out = nlohmann::ordered_json::object();
  const auto add = [&](const std::string& layer, const char* what, const std::shared_ptr<Quantizer>& q) {
    if (!q) return;
    const auto [low, high] = q->range();
    auto& entry = out[layer][what];
    entry = {{"method", q->spec().method},
             {"bits", q->spec().bits},
             {"signed", q->spec().is_signed},
             {"low", low},
             {"high", high}};
    const CodeGrid grid = q->grid();
    const auto put = [&](const char* key, const Tensor& values) {
      if (values && values.numel() == 1) entry[key] = values.item();
      if (values && values.numel() > 1) entry[key] = values.to_vector();
    };
    put("step", grid.step);
    put("offset", grid.offset);
    put("levels", grid.levels);
  };
  model.visit([&](const std::string& name, Module& module) {
    if (const auto* layer = dynamic_cast<const WeightedLayer*>(&module)) {
      add(name, "weight", layer->weight_quantizer());
      add(name, "input", layer->input_quantizer());
    }
  });
  return out;
}

std::string bits_summary(const std::vector<LayerReport>& layers) {
  const auto same = [](const LayerReport& a, const LayerReport& b) {
    return a.weight_bits == b.weight_bits && a.input_bits == b.input_bits && a.method == b.method;
  };
  std::string out;
  for (size_t i = 0, next; i < layers.size(); i = next) {
    next = i + 1;
    while (next < layers.size() && same(layers[i], layers[next])) ++next;
    const auto& l = layers[i];
    const std::string who =
        next - i == 1 ? l.name : std::to_string(next - i) + (i == 0 && next == layers.size() ? " layers" : " between");
    if (!out.empty()) out += "; ";
    out += who + (l.method.empty() ? ": full precision"
                                   : ": weights " + bits_text(l.weight_bits) + ", inputs " + bits_text(l.input_bits) +
                                         " bits (" + l.method + ")");
  }
  return out;
}

}  // namespace ntq::apps
