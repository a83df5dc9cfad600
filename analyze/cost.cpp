#include "analyze/cost.h"

#include <map>

#include "analyze/layer_outputs.h"
#include "analyze/restored.h"
#include "train/layer_report.h"

namespace ntq {

std::vector<LayerCost> layer_costs(Module& model, const Shape& images) {
  const Restored as_before(model);
  model.eval();
  std::map<std::string, LayerReport> layers;
  for (LayerReport& layer : report_layers(model)) layers.emplace(layer.name, std::move(layer));
  const NamedTensors parameters = model.named_parameters();
  const Tensor black = Tensor::zeros({1, images[1], images[2], images[3]}).to(parameters.front().second.device());
  std::vector<LayerCost> out;
  LayerOutputs(model, black).run(black, [&](const std::string& name, const Tensor& output) {
    const auto found = layers.find(name);
    if (found == layers.end()) return;  // a product without a layer
    const LayerReport& layer = found->second;
    // Each of the weights once at each place of the output.
    const int64_t places = output.numel() / output.size(-1);
    out.push_back({name, places * layer.weights, layer.weight_bits, layer.input_bits});
  });
  return out;
}

}  // namespace ntq
