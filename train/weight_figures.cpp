#include "train/weight_figures.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"

namespace ntq {
namespace {

/// {C} as {C,1}: to lie along the channels of a weight {C,n}. One value as it is.
Tensor by_channel(const Tensor& values) {
  return values.numel() == 1 ? reshape(values, {1, 1}) : reshape(values, {values.numel(), 1});
}

/// The smallest and the largest value of each table of levels.
std::pair<Tensor, Tensor> ends_of_levels(const Tensor& of_one_or_many) {
  const int64_t n = of_one_or_many.shape()[of_one_or_many.shape().rank() - 1];
  const Tensor levels = reshape(of_one_or_many, {of_one_or_many.numel() / n, n});
  return {min(levels, Axis{1}), max(levels, Axis{1})};
}

Tensor mean_step(const Quantizer& quantizer, const CodeGrid& grid) {
  if (!grid.levels) return grid.step ? mean(grid.step) : Tensor();
  if (!quantizer.ready()) return {};  // levels of nothing
  const auto [least, most] = ends_of_levels(grid.levels);
  return scale(mean(sub(most, least)), 1 / (grid.range.high - grid.range.low));
}

/// Weights of a grid's method that lie beyond its smallest and largest value; undefined without a grid.
Tensor clipped_count(const CodeGrid& grid, const Tensor& weight) {
  Tensor low, high;
  if (grid.levels) {
    const auto [least, most] = ends_of_levels(grid.levels);
    low = by_channel(least), high = by_channel(most);
  } else if (grid.step) {
    low = by_channel(scale(grid.step, grid.range.low)), high = by_channel(scale(grid.step, grid.range.high));
    if (grid.offset) low = add(low, grid.offset), high = add(high, grid.offset);
  } else {
    return {};
  }
  const Tensor w = reshape(weight, {weight.size(0), weight.numel() / weight.size(0)});
  return add(sum(less(w, low)), sum(less(high, w)));
}

/// Of the layers for which `value` gives something; each counts as `weight` says.
template <class Value, class Weight>
std::optional<double> mean_of(const std::vector<WeightFigures>& layers, Value value, Weight weight) {
  double sum = 0, of = 0;
  for (const WeightFigures& layer : layers) {
    const std::optional<double> v = value(layer);
    if (v) sum += *v * weight(layer), of += weight(layer);
  }
  return of > 0 ? std::optional(sum / of) : std::nullopt;
}

}  // namespace

Tensor mean_step(const Quantizer& quantizer) {
  const NoGrad no_grad;
  return mean_step(quantizer, quantizer.grid());
}

WeightTensors weight_tensors(const WeightedLayer& layer) {
  const NoGrad no_grad;
  const Tensor weight = layer.weight().detach();
  WeightTensors out{.low = min(weight), .high = max(weight)};
  const auto& q = layer.weight_quantizer();
  if (!q) return out;
  const CodeGrid grid = q->grid();
  out.step = mean_step(*q, grid);
  if (!q->ready()) return out;  // others wait for the first batch; a forward pass now would set them
  const bool was_training = q->training();
  q->eval();
  const Tensor meant = q->transformed(weight);
  out.error = sum_abs(sub(q->forward(weight), meant));
  q->train(was_training);
  out.clipped = clipped_count(grid, meant);
  return out;
}

WeightFigures read_figures(const std::string& name, const WeightedLayer& layer, const WeightTensors& tensors) {
  const auto& q = layer.weight_quantizer();
  const auto count = static_cast<double>(layer.weight().numel());
  WeightFigures out{.layer = name, .bits = q ? q->spec().bits : 32, .weights = layer.weight().numel()};
  out.max_weight = static_cast<double>(std::max(std::fabs(tensors.low.item()), std::fabs(tensors.high.item())));
  if (tensors.step) out.step = static_cast<double>(tensors.step.item());
  if (tensors.error) out.error = tensors.error.item<double>() / count;
  if (tensors.clipped) out.clipped = static_cast<double>(tensors.clipped.item()) / count;
  return out;
}

std::vector<WeightFigures> weight_figures(Module& model) {
  std::vector<WeightFigures> out;
  model.visit([&](const std::string& name, Module& module) {
    const auto* layer = dynamic_cast<const WeightedLayer*>(&module);
    if (layer != nullptr) out.push_back(read_figures(name, *layer, weight_tensors(*layer)));
  });
  return out;
}

WeightMeans weight_means(const std::vector<WeightFigures>& layers) {
  const auto by_layer = [](const WeightFigures&) { return 1.0; };
  const auto by_weight = [](const WeightFigures& layer) { return static_cast<double>(layer.weights); };
  const auto max_weight = [](const WeightFigures& layer) { return std::optional(layer.max_weight); };
  return {.max_weight = mean_of(layers, max_weight, by_layer).value_or(0),
          .step = mean_of(
              layers, [](const WeightFigures& l) { return l.step; }, by_layer),
          .error = mean_of(
              layers, [](const WeightFigures& l) { return l.error; }, by_weight),
          .oscillating = mean_of(
              layers, [](const WeightFigures& l) { return l.oscillating; }, by_weight),
          .clipped = mean_of(
              layers, [](const WeightFigures& l) { return l.clipped; }, by_weight)};
}

}  // namespace ntq
