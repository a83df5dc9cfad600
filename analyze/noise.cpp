#include "analyze/noise.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "layers/weighted_layer.h"
#include "quant/tree.h"

namespace ntq {
namespace {

/// Sums over steps of half the squares of differences, of all parameters in one vector.
class NoiseSums {
 public:
  std::vector<double> gradient, update, between;
  int64_t steps = 0, updates = 0;

  NoiseSums(int64_t size, double momentum) : momentum_(momentum) {
    for (auto* v : {&gradient, &update, &between, &velocity_}) v->resize(static_cast<size_t>(size));
  }
  /// The gradients of one batch under two draws.
  void add(std::vector<double> a, const std::vector<double>& b, bool is_settled) {
    for (size_t i = 0; i < a.size(); ++i) {
      const double d = a[i] - b[i];
      gradient[i] += 0.5 * d * d;
      velocity_[i] = momentum_ * velocity_[i] + d;  // of the two updates, what they differ by
      if (is_settled) update[i] += 0.5 * velocity_[i] * velocity_[i];
      if (!before_.empty()) between[i] += 0.5 * (a[i] - before_[i]) * (a[i] - before_[i]);
    }
    ++steps, updates += is_settled ? 1 : 0;
    before_ = std::move(a);
  }

 private:
  double momentum_;
  std::vector<double> velocity_, before_;
};

double mean_of(const std::vector<double>& sums, int64_t begin, int64_t count, int64_t steps) {
  if (count == 0 || steps == 0) return 0;
  double sum = 0;
  for (int64_t i = begin; i < begin + count; ++i) sum += sums[static_cast<size_t>(i)];
  return sum / static_cast<double>(count) / static_cast<double>(steps);
}

LayerNoise noise_of(const NoiseSums& sums, std::string name, int64_t begin, int64_t count) {
  LayerNoise out{.name = std::move(name), .weights = count};
  out.gradient = mean_of(sums.gradient, begin, count, sums.steps);
  out.update = mean_of(sums.update, begin, count, sums.updates);
  // What differs between two batches has the noise of both in it.
  out.batches = std::max(0.0, mean_of(sums.between, begin, count, sums.steps - 1) - out.gradient);
  return out;
}

/// Half the squares of what two draws differ by, summed over the weights.
double weight_noise(Quantizer& quantizer, const Tensor& weight, const std::function<void(int64_t)>& set_draw) {
  const NoGrad values_only;
  set_draw(0);
  const std::vector<float> a = quantizer.forward(weight).to_vector();
  set_draw(1);
  const std::vector<float> b = quantizer.forward(weight).to_vector();
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += 0.5 * d * d;
  }
  return sum;
}

}  // namespace

int64_t settling_steps(double momentum) {
  return momentum == 0 ? 0 : static_cast<int64_t>(std::ceil(std::log(0.01) / (2 * std::log(momentum))));
}

NoiseReport measure_noise(Module& model, DataLoader& loader, const NoiseOptions& o) {
  check(o.momentum >= 0 && o.momentum < 1, "noise: expected a momentum in [0, 1), found ", o.momentum);
  check(o.steps >= 1, "noise: expected one step or more, found ", o.steps);
  const Restored as_before(model);
  check_ready(model);
  model.train();
  const Quantizers quantizers(model);
  check(std::any_of(quantizers.begin(), quantizers.end(), [](const Quantizer* q) { return q->spec().is_weight; }),
        "noise: no weight is quantized, so training has no noise to measure");
  std::vector<int64_t> first_draw;
  for (const Quantizer* q : quantizers) first_draw.push_back(q->training_step());
  // What else a forward pass in training moves, ranges and bases, must not differ between two draws.
  NamedTensors buffers = model.named_buffers();
  std::vector<Tensor> held;
  for (const auto& entry : buffers) held.push_back(entry.second.clone());
  const auto set_draw = [&](int64_t draw) {
    for (size_t i = 0; i < buffers.size(); ++i) buffers[i].second.copy_from(held[i]);
    size_t at = 0;
    for (Quantizer* q : quantizers) q->set_training_step(first_draw[at++] + draw);
  };

  std::vector<Parameter> parameters;
  std::vector<int64_t> begins;
  int64_t size = 0;
  for (Parameter& p : model.parameters()) {
    if (!p.value.requires_grad()) continue;
    begins.push_back(size);
    size += p.value.numel();
    parameters.push_back(std::move(p));
  }
  const auto gradient_of = [&](const Batch& batch, int64_t draw) {
    set_draw(draw);
    for (Parameter& p : parameters) p.value.zero_grad();
    const Tensor loss = o.loss(model.forward(batch.images), batch);
    if (!std::isfinite(loss.item())) throw DivergedError("the loss is not finite; are the weights damaged?");
    loss.backward();
    std::vector<double> out(static_cast<size_t>(size));
    for (size_t i = 0; i < parameters.size(); ++i) add_gradient(parameters[i], 1, out, begins[i]);
    return out;
  };

  NoiseReport out{.predicted = 1 / (1 - o.momentum * o.momentum), .steps = o.steps};
  out.settling = settling_steps(o.momentum);
  const int64_t all_steps = out.settling + o.steps;
  NoiseSums sums(size, o.momentum);
  int64_t epoch = 0;
  loader.start(epoch);
  for (int64_t step = 0; step < all_steps;) {
    const auto loaded = loader.next();
    if (!loaded) {
      loader.start(++epoch);
      continue;
    }
    if (loaded->labels.numel() == 0) continue;
    const Batch batch = on_device_of(model, *loaded);
    std::vector<double> a = gradient_of(batch, 2 * step);
    sums.add(std::move(a), gradient_of(batch, 2 * step + 1), step >= out.settling);
    ++step;
    if (o.hook) o.hook(step, all_steps);
  }

  out.all = noise_of(sums, "all", 0, size);
  double squares = 0;
  int64_t weights = 0;
  model.visit([&](const std::string& name, Module& module) {
    const auto* layer = dynamic_cast<const WeightedLayer*>(&module);
    if (layer == nullptr || !layer->weight_quantizer()) return;
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].value.id() != layer->weight().id()) continue;
      LayerNoise found = noise_of(sums, name, begins[i], layer->weight().numel());
      const double square = weight_noise(*layer->weight_quantizer(), layer->weight(), set_draw);
      found.weight = std::sqrt(square / static_cast<double>(found.weights));
      squares += square, weights += found.weights;
      out.layers.push_back(std::move(found));
    }
  });
  if (weights > 0) out.all.weight = std::sqrt(squares / static_cast<double>(weights));
  return out;
}

}  // namespace ntq
