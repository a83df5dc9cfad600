#include "apps/layer_text.h"

#include <nlohmann/json.hpp>

#include "apps/text.h"
#include "export/codes.h"
#include "layers/weighted_layer.h"

namespace ntq::apps {
namespace {

std::string bits_text(int bits) { return bits == 32 ? "fp" : std::to_string(bits); }

/// "4"; "4 at first" where they are learned, "fp" where the method leaves the layer's weights as they are.
std::string weight_bits_text(const LayerReport& layer) {
  if (!layer.learned_bits) return bits_text(layer.weight_bits);
  return *layer.learned_bits == 32 ? "fp" : bits_text(layer.weight_bits) + " at first";
}

/// "lsq", or "dorefa, pact" of weights and inputs; "" in full precision.
std::string methods_text(const LayerReport& layer) {
  const auto &of_weights = layer.method, &of_inputs = layer.input_method;
  if (of_weights.empty() || of_inputs.empty() || of_weights == of_inputs) {
    return of_weights.empty() ? of_inputs : of_weights;
  }
  return of_weights + ", " + of_inputs;
}

}  // namespace

std::string layer_table(const std::vector<LayerReport>& layers) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "weights", "method", "w bits", "w step", "|Q(w)-w|", "w min", "w max", "x bits", "x step"}};
  for (const auto& l : layers) {
    const bool w = l.weight_bits != 32, x = l.input_bits != 32;
    rows.push_back({l.name, l.shape, l.method.empty() && l.input_method.empty() ? "-" : methods_text(l),
                    l.learned_bits ? fixed(*l.learned_bits, 2) : bits_text(l.weight_bits),
                    w ? general(l.weight_step, 4) : "-", w ? general(l.weight_error, 4) : "-", fixed(l.weight_min, 4),
                    fixed(l.weight_max, 4), bits_text(l.input_bits), x ? general(l.input_step, 4) : "-"});
  }
  return table(rows);
}

std::string skip_table(const std::vector<SkipReport>& skips) {
  if (skips.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"residual sums", "method", "bits", "signed", "step"}};
  for (const auto& s : skips) {
    rows.push_back({s.name, s.method, bits_text(s.bits), s.is_signed ? "yes" : "no", general(s.step, 4)});
  }
  return '\n' + table(rows);
}

nlohmann::ordered_json skips_to_json(const std::vector<SkipReport>& skips) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& s : skips) {
    out.push_back(
        {{"name", s.name}, {"method", s.method}, {"bits", s.bits}, {"signed", s.is_signed}, {"step", s.step}});
  }
  return out;
}

nlohmann::ordered_json layers_to_json(const std::vector<LayerReport>& layers) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& l : layers) {
    out.push_back({{"name", l.name},
                   {"shape", l.shape},
                   {"method", l.method},
                   {"input_method", l.input_method},
                   {"weight_bits", l.weight_bits},
                   {"weight_step", l.weight_step},
                   {"weight_steps", l.weight_steps},
                   {"weight_error", l.weight_error},
                   {"weight_min", l.weight_min},
                   {"weight_max", l.weight_max},
                   {"input_bits", l.input_bits},
                   {"input_step", l.input_step},
                   {"stored_bits", l.stored_bits}});
    if (l.learned_bits) out.back()["learned_bits"] = *l.learned_bits;
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
    if (!grid.levels || grid.levels.shape().rank() < 2) {
      put("levels", grid.levels);
    } else {
      for (int64_t c = 0; c < grid.levels.size(0); ++c)
        entry["levels"].push_back(grid.levels.rows(c, c + 1).to_vector());
    }
    if (q->spec().is_weight) return;
    const infer::InputCodes codes = input_form(*q).codes;
    if (!codes.thresholds.empty()) {
      entry["thresholds"] = codes.thresholds;
    } else if (!grid.step) {  // evenly spaced levels
      entry["step"] = codes.step;
      if (codes.offset != 0) entry["offset"] = codes.offset;
    }
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
    return weight_bits_text(a) == weight_bits_text(b) && a.input_bits == b.input_bits &&
           methods_text(a) == methods_text(b);
  };
  std::string out;
  for (size_t i = 0, next; i < layers.size(); i = next) {
    next = i + 1;
    while (next < layers.size() && same(layers[i], layers[next])) ++next;
    const auto& l = layers[i];
    const std::string who =
        next - i == 1 ? l.name : std::to_string(next - i) + (i == 0 && next == layers.size() ? " layers" : " between");
    if (!out.empty()) out += "; ";
    const std::string methods = methods_text(l);
    out += who + (methods.empty() ? ": full precision"
                                  : ": weights " + weight_bits_text(l) + ", inputs " + bits_text(l.input_bits) +
                                        " bits (" + methods + ")");
  }
  return out;
}

}  // namespace ntq::apps
