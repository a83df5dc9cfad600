#include "quant/tree.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/ops/binary.h"

namespace ntq {
namespace {

std::string without_last(const std::string& name) { return name.substr(0, name.rfind('.')); }
std::string layer_of(const Quantizer& q) { return without_last(q.spec().name); }

/// Parameters follow the layer that they belong to or stand behind.
void hold_layers(Module& model, const std::vector<Quantizer*>& quantizers) {
  std::map<std::string, bool> trained;  // by layer
  for (const Quantizer* q : quantizers) {
    if (const auto wish = q->trains_layer()) trained[layer_of(*q)] = *wish;
  }
  if (trained.empty()) return;
  std::optional<bool> now;
  for (Parameter& parameter : model.parameters()) {  // a layer's own come first
    const auto layer = trained.find(without_last(parameter.name));
    if (layer != trained.end()) now = layer->second;
    if (now) parameter.value.set_requires_grad(*now);
  }
}

}  // namespace

std::vector<Quantizer*> quantizers_of(Module& model) {
  std::vector<Quantizer*> out;
  std::set<const Module*> seen;
  model.visit([&](const std::string&, Module& module) {
    auto* quantizer = dynamic_cast<Quantizer*>(&module);
    if (quantizer != nullptr && seen.insert(quantizer).second) out.push_back(quantizer);
  });
  return out;
}

void set_progress(Module& model, double fraction) {
  check(fraction >= 0 && fraction <= 1, "set_progress: expected a fraction in [0, 1], found ", fraction);
  const auto quantizers = quantizers_of(model);
  std::vector<int64_t> layers;  // of each quantizer; those of one layer are neighbours
  for (size_t i = 0; i < quantizers.size(); ++i) {
    const bool first = i == 0 || layer_of(*quantizers[i]) != layer_of(*quantizers[i - 1]);
    layers.push_back(i == 0 ? 0 : layers.back() + (first ? 1 : 0));
  }
  for (size_t i = 0; i < quantizers.size(); ++i) {
    quantizers[i]->set_place({layers[i], layers.back() + 1});
    quantizers[i]->on_progress(fraction);
  }
  hold_layers(model, quantizers);
}

void set_rate(Module& model, const LearningRate& rate) {
  check(rate.value >= 0 && rate.share >= 0 && rate.share <= 1,
        "set_rate: expected a rate of 0 or more and a share in [0, 1], found ", rate.value, " and ", rate.share);
  for (Quantizer* q : quantizers_of(model)) q->on_rate(rate);
}

Tensor quant_penalty(Module& model) {
  Tensor total;
  for (const Quantizer* q : quantizers_of(model)) {
    const Tensor penalty = q->penalty();
    if (!penalty) continue;
    check(penalty.shape() == Shape{1}, q->spec().name, ": a penalty must have shape {1}, found ", penalty.shape());
    total = total ? add(total, penalty) : penalty;
  }
  return total;
}

void count_optimizer_step(Module& model) {
  for (Quantizer* q : quantizers_of(model)) {
    if (!q->ready()) continue;  // has not been run
    q->after_step();
    q->set_training_step(q->training_step() + 1);
  }
}

void calibrate(Module& model, const std::function<void()>& run_batches) {
  std::vector<Quantizer*> fresh = quantizers_of(model);
  std::erase_if(fresh, [](const Quantizer* q) { return q->ready(); });
  int passes = 0;
  for (const Quantizer* q : fresh) passes = std::max(passes, q->calibration_passes());
  for (int pass = 0; pass < passes; ++pass) {
    const auto each = [&](void (Quantizer::*tell)(int)) {
      for (Quantizer* q : fresh) {
        if (pass < q->calibration_passes()) (q->*tell)(pass);
      }
    };
    each(&Quantizer::start_pass);
    run_batches();
    each(&Quantizer::end_pass);
  }
}

}  // namespace ntq
