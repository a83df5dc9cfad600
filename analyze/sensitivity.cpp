#include "analyze/sensitivity.h"

#include <algorithm>
#include <map>

#include "engine/autograd.h"
#include "engine/ops/loss.h"
#include "layers/weighted_layer.h"
#include "quant/tree.h"

namespace ntq {
namespace {

using LayerQuantizers = std::map<std::string, std::vector<Quantizer*>>;

LayerQuantizers quantizers_by_layer(Module& model) {
  LayerQuantizers out;
  model.visit([&](const std::string& name, Module& module) {
    const auto* layer = dynamic_cast<const WeightedLayer*>(&module);
    if (layer == nullptr) return;
    for (const auto& q : {layer->weight_quantizer(), layer->input_quantizer()}) {
      if (q) out[name].push_back(q.get());
    }
  });
  return out;
}

}  // namespace

int64_t sensitivity_passes(Module& model) { return 2 * static_cast<int64_t>(quantizers_by_layer(model).size()) + 4; }

Sensitivity sensitivity(Module& model, DataLoader& loader, const PassHook& hook) {
  const Restored as_before(model);
  const Quantizers quantizers(model);
  const LayerQuantizers of_layer = quantizers_by_layer(model);
  check(!of_layer.empty(), "sensitivity: the network has no quantizers; it is in full precision");
  check_ready(model);
  model.eval();
  const NoGrad values_only;

  Sensitivity out;
  const auto score = [&] {
    double loss = 0;
    int64_t correct = 0;
    out.images = each_batch(model, loader, hook, [&](const Batch& batch) {
      const Tensor logits = model.forward(batch.images);
      loss += static_cast<double>(softmax_cross_entropy(logits, batch.labels).item()) *
              static_cast<double>(batch.labels.numel());
      correct += count_correct(logits, batch.labels).item<int64_t>();
    });
    const auto n = static_cast<double>(out.images);
    return Score{loss / n, 100 * static_cast<double>(correct) / n};
  };
  const auto with = [&](const std::function<bool(const Quantizer&)>& on) {
    for (Quantizer* q : quantizers) q->enable(on(*q));
    return score();
  };
  const auto among = [](const std::vector<Quantizer*>& some, const Quantizer& q) {
    return std::find(some.begin(), some.end(), &q) != some.end();
  };

  out.all = with([](const Quantizer&) { return true; });
  out.none = with([](const Quantizer&) { return false; });
  out.weights = with([](const Quantizer& q) { return q.spec().is_weight; });
  out.inputs = with([](const Quantizer& q) { return !q.spec().is_weight; });
  loader.start(0);
  const auto first = loader.next();
  for (LayerCost& layer : layer_costs(model, first->images.shape())) {
    const auto found = of_layer.find(layer.name);
    if (found == of_layer.end()) continue;
    const std::vector<Quantizer*>& own = found->second;
    LayerSensitivity s{.layer = std::move(layer), .only = {}, .without = {}};
    s.only = with([&](const Quantizer& q) { return among(own, q); });
    s.without = with([&](const Quantizer& q) { return !among(own, q); });
    out.layers.push_back(std::move(s));
  }
  return out;
}

}  // namespace ntq
