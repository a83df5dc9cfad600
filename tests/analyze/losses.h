#pragma once
// Losses of analyses that can be followed by hand: functions of a vector, and a network of one layer.
#include <cmath>
#include <memory>

#include "analyze/model_loss.h"
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "layers/linear.h"

namespace ntq::test {

/// From a value and a gradient, both in float64.
template <class F>
Objective objective_of(std::vector<float> at, F&& f) {
  Objective out{.at = at, .parts = {{"w", {1, static_cast<int64_t>(at.size())}, 0}}, .loss = {}};
  out.loss = [f](const std::vector<float>& w, std::vector<double>* gradient) {
    std::vector<double> x(w.begin(), w.end()), g(w.size());
    const double loss = f(x, g);
    if (gradient != nullptr) *gradient = g;
    return loss;
  };
  return out;
}

/// w^T A w / 2.
inline Objective quadratic(std::vector<float> at, std::vector<std::vector<double>> a) {
  return objective_of(std::move(at), [a](const std::vector<double>& w, std::vector<double>& g) {
    double loss = 0;
    for (size_t i = 0; i < w.size(); ++i) {
      for (size_t j = 0; j < w.size(); ++j) g[i] += a[i][j] * w[j];
      loss += 0.5 * g[i] * w[i];
    }
    return loss;
  });
}

/// sum of g_i w_i.
inline Objective straight(std::vector<float> at, std::vector<double> slope) {
  return objective_of(std::move(at), [slope](const std::vector<double>& w, std::vector<double>& g) {
    double loss = 0;
    for (size_t i = 0; i < w.size(); ++i) loss += slope[i] * w[i], g[i] = slope[i];
    return loss;
  });
}

inline Slope start_of(const Objective& objective) { return slope_at(objective, objective.at); }

/// Gives its weights, quantized, whatever it is shown.
struct WeightsAlone : Module {
  std::shared_ptr<Linear> layer;
  WeightsAlone(std::vector<float> weights, QuantSpec quant) {
    const auto n = static_cast<int64_t>(weights.size());
    layer = register_module("layer",
                            std::make_shared<Linear>(LinearOptions{
                                .out_features = n, .bias = false, .weight_quant = std::move(quant), .name = "layer"}));
    Tensor(layer->weight()).copy_from(Tensor::from({n, 1}, std::span<const float>(weights)));
  }
  Tensor forward(const Tensor&) override { return layer->forward(Tensor::full({1, 1}, 1)); }
  /// All steps become `step`, which is not trained.
  void fix_step(float step) {
    layer->weight_quantizer()->step().fill(step);
    Tensor(layer->weight_quantizer()->step()).set_requires_grad(false);
    layer->weight_quantizer()->load_state_dict(layer->weight_quantizer()->state_dict());
  }
};

/// sum q^2 / 2 of what WeightsAlone gives.
inline Tensor half_squares(const Tensor& q, const Batch&) { return mul(sum(square(q)), 0.5f); }

/// Images in order, in so many batches of so many.
inline DataLoader loader_of(int64_t batches, int64_t batch_size = 2) {
  const DatasetPair data = open_dataset("synthetic", {}, 4, batches * batch_size);
  return {data.val, in_order({.batch_size = batch_size, .workers = 0})};
}

}  // namespace ntq::test
