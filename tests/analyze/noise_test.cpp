#include "analyze/noise.h"

#include <doctest/doctest.h>

#include "quant/tree.h"
#include "tests/analyze/losses.h"

using namespace ntq;
using namespace ntq::test;
using doctest::Approx;

namespace {

// Weights all `error` away from the code 0 of a grid of step 1: their gradients of sum q^2 / 2 are the noisy weights.
NoiseReport noise_at(double error, const NoiseOptions& options, const std::string& method = "ntq") {
  Settings settings;
  if (method == "ntq") settings = {{"noise", 0.2}, {"noise_k", 50.0}};
  WeightsAlone network(std::vector<float>(4096, static_cast<float>(error)),
                       {.method = method, .bits = 4, .seed = 1, .settings = settings});
  network.fix_step(1);
  DataLoader loader = loader_of(3);
  NoiseOptions o = options;
  o.loss = half_squares;
  return measure_noise(network, loader, o);
}

}  // namespace

TEST_CASE(
    "noise: c exp(-k e) sqrt(e) on the weights, its square in each gradient, 1 / (1 - m^2) of that in an update") {
  const std::vector<std::pair<double, double>> figure_2a = {{0.001, 7.0161}, {0.01, 2.2131}, {0.1, 1.0043}};
  for (const auto& place : figure_2a) {
    const double error = place.first, ratio = place.second;
    CAPTURE(error);
    const double deviation = (ratio - 1) * error;  // (e + deviation) / e
    const NoiseReport found = noise_at(error, {.momentum = 0.9, .steps = 30});
    CHECK(found.predicted == Approx(1 / 0.19));
    CHECK(found.settling == 22);
    REQUIRE(found.layers.size() == 1);
    const LayerNoise& layer = found.layers[0];
    CHECK(layer.weight == Approx(deviation).epsilon(0.05));
    CHECK(layer.gradient == Approx(deviation * deviation).epsilon(0.05));
    CHECK(layer.factor() == Approx(found.predicted).epsilon(0.05));
    CHECK(layer.batches < 0.05 * layer.gradient);  // all batches are equal here
    CHECK(found.all.gradient == Approx(layer.gradient));
  }
}

TEST_CASE("noise: without momentum the update has the gradient's variance, and steps go on over epochs") {
  int64_t calls = 0;
  const NoiseReport found = noise_at(0.01, {.momentum = 0, .steps = 7, .hook = [&](int64_t, int64_t) { ++calls; }});
  CHECK(found.predicted == 1);
  CHECK(found.settling == 0);
  CHECK(calls == 7);
  CHECK(found.layers[0].factor() == Approx(1));
}

TEST_CASE("noise: what a forward pass in training moves, a basis or a range, is no noise") {
  for (const char* method : {"lq-nets", "minmax"}) {
    CAPTURE(std::string(method));
    WeightsAlone network({1, .4f, -.3f, 2, -1.2f, .1f}, {.method = method, .bits = 3});
    DataLoader loader = loader_of(2);
    network.train();
    for (int64_t step = 0; step < 3; ++step) {
      network.layer->weight_quantizer()->set_training_step(step);
      network.layer->weight_quantizer()->forward(network.layer->weight());
    }
    const NoiseReport none = measure_noise(network, loader, {.steps = 3, .loss = half_squares});
    CHECK(none.layers[0].weight == 0);
    CHECK(none.layers[0].gradient == 0);
  }
}

TEST_CASE("noise: LSQ has none; without quantized weights it is refused; draws are as before afterwards") {
  const NoiseReport none = noise_at(0.01, {.steps = 2}, "lsq");
  CHECK(none.layers[0].gradient == 0);
  CHECK(none.layers[0].factor() == 0);

  WeightsAlone floats({1, 2}, {});
  DataLoader loader = loader_of(1);
  CHECK_THROWS_AS(measure_noise(floats, loader, {.loss = half_squares}), std::invalid_argument);
  WeightsAlone network({1, 2}, {.method = "ntq", .bits = 4});
  network.fix_step(1);
  network.layer->weight_quantizer()->set_training_step(5);
  measure_noise(network, loader, {.steps = 2, .loss = half_squares});
  CHECK(network.layer->weight_quantizer()->training_step() == 5);
  CHECK_THROWS_AS(measure_noise(network, loader, {.momentum = 1, .loss = half_squares}), std::invalid_argument);
}
