#include "analyze/model_loss.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "engine/autograd.h"
#include "layers/weighted_layer.h"
#include "quant/tree.h"

namespace ntq {
namespace {

/// Weights and biases become what their layers compute with.
void take_effective(Module& model) {
  const NoGrad values_only;
  model.visit([](const std::string&, Module& module) {
    const auto* layer = dynamic_cast<const WeightedLayer*>(&module);
    if (layer == nullptr || !layer->weight_quantizer() || !layer->weight_quantizer()->enabled()) return;
    Tensor weight = layer->weight(), bias = layer->bias();
    if (bias) bias.copy_from(layer->quantized_bias().clone());
    weight.copy_from(layer->weight_quantizer()->forward(weight));
    layer->weight_quantizer()->enable(false);
  });
}

std::set<const void*> quantizer_parameters(Module& model) {
  std::set<const void*> out;
  for (const Quantizer* q : Quantizers(model)) {
    for (const Parameter& p : q->parameters()) out.insert(p.value.id());
  }
  return out;
}

}  // namespace

int64_t each_batch(const Module& model, DataLoader& loader, const PassHook& hook,
                   const std::function<void(const Batch&)>& see) {
  int64_t images = 0, done = 0;
  loader.start(0);
  while (const auto loaded = loader.next()) {
    if (loaded->labels.numel() > 0) see(on_device_of(model, *loaded));
    images += loaded->labels.numel();
    if (hook) hook(++done, loader.batches_per_epoch());
  }
  if (images == 0) throw DataError("there is no image to look at");
  return images;
}

void set_values(const Parameter& parameter, const std::vector<float>& all, int64_t begin) {
  Tensor value = parameter.value;
  const float* const from = all.data() + begin;
  std::vector<float> values(from, from + value.numel());
  for (float& v : values) v = std::max(v, parameter.traits.floor);
  value.copy_from(Tensor::from(value.shape(), std::span<const float>(values)));
}

void add_gradient(const Parameter& parameter, double factor, std::vector<double>& all, int64_t begin) {
  const Tensor gradient = parameter.value.grad();
  if (!gradient) return;
  const Tensor here = gradient.to(Device());
  const float* const from = here.f32();
  double* const to = all.data() + begin;
  for (int64_t i = 0; i < here.numel(); ++i) to[i] += factor * static_cast<double>(from[i]);
}

ModelLoss::ModelLoss(Module& model, DataLoader& loader, ModelLossOptions options)
    : restored_(model), model_(model), loader_(loader), options_(std::move(options)) {
  check_ready(model);
  model.eval();
  std::set<const void*> fixed;
  if (options_.where == Where::effective) {
    take_effective(model);
    fixed = quantizer_parameters(model);
  }
  for (Parameter& p : model.parameters()) {
    if (fixed.contains(p.value.id())) p.value.set_requires_grad(false);
    if (!p.value.requires_grad()) continue;
    const std::vector<float> values = p.value.to_vector();
    objective_.parts.push_back({p.name, p.value.shape(), objective_.size()});
    objective_.at.insert(objective_.at.end(), values.begin(), values.end());
    moved_.push_back(p);
  }
  check(!moved_.empty(), "the network has no trained parameter to move");
  objective_.loss = [this](const std::vector<float>& w, std::vector<double>* gradient) {
    return evaluate(w, gradient);
  };
}

double ModelLoss::evaluate(const std::vector<float>& w, std::vector<double>* gradient) {
  check(w.size() == objective_.at.size(), "the network has ", objective_.at.size(), " parameters to move, found ",
        w.size());
  std::optional<NoGrad> values_only(std::in_place);
  for (size_t i = 0; i < moved_.size(); ++i) set_values(moved_[i], w, objective_.parts[i].begin);
  if (gradient != nullptr) {
    values_only.reset();
    gradient->assign(w.size(), 0.0);
  }
  double sum = 0;
  const int64_t images = each_batch(model_, loader_, options_.hook, [&](const Batch& batch) {
    const auto n = static_cast<double>(batch.labels.numel());
    const Tensor loss = options_.loss(model_.forward(batch.images), batch);
    sum += n * static_cast<double>(loss.item());
    if (gradient == nullptr) return;
    for (Parameter& p : moved_) p.value.zero_grad();
    loss.backward();
    for (size_t i = 0; i < moved_.size(); ++i) add_gradient(moved_[i], n, *gradient, objective_.parts[i].begin);
  });
  const double loss = sum / static_cast<double>(images);
  if (!std::isfinite(loss)) {
    throw DivergedError("the loss is not finite here; are the weights damaged, or is the distance too large?");
  }
  if (gradient != nullptr) {
    for (double& g : *gradient) g /= static_cast<double>(images);
  }
  return loss;
}

}  // namespace ntq
