#include "analyze/model_loss.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "analyze/sharpness.h"
#include "engine/backend/cpu_settings.h"
#include "models/model.h"
#include "quant/tree.h"
#include "tests/analyze/losses.h"
#include "tests/support/module.h"
#include "tests/support/values.h"
#include "train/calibrate.h"

using namespace ntq;
using namespace ntq::test;
using doctest::Approx;

namespace {

std::shared_ptr<Module> resnet(int bits) {
  ModelOptions options;
  options.weight = {.method = "lsq", .bits = bits};
  options.activation = {.method = "lsq", .bits = bits};
  auto model = make_model("resnet20", options);
  if (bits < 32) {
    DataLoader loader = loader_of(1);
    calibrate_steps(*model, loader, 1);
  }
  return model;
}

size_t index_of(const Objective& objective, const std::string& name) {
  const auto part =
      std::find_if(objective.parts.begin(), objective.parts.end(), [&](const Part& p) { return p.name == name; });
  REQUIRE(part != objective.parts.end());
  return static_cast<size_t>(part->begin);
}

}  // namespace

TEST_CASE("the loss of a network in evaluation mode has the gradient of its differences, batch norm's too") {
  const auto model = resnet(32);
  DataLoader loader = loader_of(2, 2);
  const ModelLoss loss(*model, loader, {});
  const Objective& objective = loss.objective();
  CHECK(objective.size() == model->parameter_count());
  const Slope slope = start_of(objective);
  CHECK(slope.loss == Approx(objective.loss(objective.at, nullptr)).epsilon(1e-12));
  for (const char* name : {"bn1.weight", "layer1.0.bn1.bias", "fc.weight", "layer2.0.conv1.weight"}) {
    CAPTURE(name);
    const size_t i = index_of(objective, name);
    std::vector<float> up = objective.at, down = objective.at;
    up[i] += 0.01f, down[i] -= 0.01f;
    const double difference = (objective.loss(up, nullptr) - objective.loss(down, nullptr)) / 0.02;
    CHECK(slope.gradient[i] != 0);
    CHECK(slope.gradient[i] == Approx(difference).epsilon(0.05));
  }
}

TEST_CASE("a quantized network in evaluation mode: straight-through gradients of master weights and of steps") {
  const auto model = resnet(4);
  DataLoader loader = loader_of(1);
  const ModelLoss loss(*model, loader, {});
  const Slope slope = start_of(loss.objective());
  for (const char* name : {"conv1.weight", "layer3.2.conv2.weight", "conv1.weight_quant.step", "fc.input_quant.step"}) {
    CAPTURE(name);
    CHECK(slope.gradient[index_of(loss.objective(), name)] != 0);
  }
}

TEST_CASE("effective weights: the same loss as through Q, no steps, weights on the grid") {
  const auto model = resnet(4);
  DataLoader loader = loader_of(1);
  double master = 0;
  {
    const ModelLoss loss(*model, loader, {});
    master = start_of(loss.objective()).loss;
  }
  const ModelLoss loss(*model, loader, {.where = Where::effective});
  const Objective& objective = loss.objective();
  CHECK(start_of(objective).loss == Approx(master).epsilon(1e-6));
  for (const Part& part : objective.parts) CHECK(part.name.find("quant") == std::string::npos);
  const float step = state_of(*model, "fc.weight_quant.step").item(),
              w = objective.at[index_of(objective, "fc.weight")];
  CHECK(w / step == Approx(std::nearbyint(w / step)).epsilon(1e-5));
}

TEST_CASE("an analysis leaves the network as it was") {
  const auto model = resnet(4);
  model->train();
  for (const Quantizer* q : Quantizers(*model)) REQUIRE(q->ready());
  (*Quantizers(*model).begin())->enable(false);
  Tensor fc = state_of(*model, "fc.weight");
  fc.set_grad(Tensor::full(fc.shape(), 3));
  Tensor bias = state_of(*model, "fc.bias");
  bias.set_requires_grad(false);
  const NamedTensors before = cloned(model->state_dict());
  for (const Where where : {Where::master, Where::effective}) {
    DataLoader loader = loader_of(1);
    const ModelLoss loss(*model, loader, {.where = where});
    CHECK_FALSE(model->training());
    sharpness(loss.objective(), start_of(loss.objective()), Box::absolute, 1e-3);
  }
  const NamedTensors after = model->state_dict();
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i].second.dtype() == DType::f32) CHECK(same_values(before[i].second, after[i].second));
  }
  CHECK(model->training());
  CHECK_FALSE((*Quantizers(*model).begin())->enabled());
  CHECK((*std::next(Quantizers(*model).begin()))->enabled());
  CHECK(fc.grad().f32()[0] == 3.0f);
  CHECK_FALSE(state_of(*model, "conv1.weight").grad());
  CHECK(state_of(*model, "conv1.weight_quant.step").requires_grad());
  CHECK_FALSE(bias.requires_grad());
}

TEST_CASE("the same loss, gradient and sharpness for any number of threads") {
  const auto model = resnet(4);
  DataLoader loader = loader_of(2, 4);
  const ModelLoss loss(*model, loader, {});
  const Objective& objective = loss.objective();
  const int threads = cpu_threads();
  std::vector<Slope> slopes;
  std::vector<double> highest;
  for (const int count : {1, 2, 3}) {
    set_cpu_threads(count);
    slopes.push_back(start_of(objective));
    const Subspace subspace(objective.size(), 5, random_rows(0, 0));
    highest.push_back(sharpness(objective, slopes.back(), subspace, 1e-3).highest);
  }
  set_cpu_threads(threads);
  for (size_t i = 1; i < slopes.size(); ++i) {
    CHECK(slopes[i].loss == slopes[0].loss);
    CHECK(slopes[i].gradient == slopes[0].gradient);
    CHECK(highest[i] == highest[0]);
  }
}

TEST_CASE("steps stay above their floor, and what is not finite or not ready is refused") {
  WeightsAlone network({0.7f, 0.2f}, {.method = "lsq", .bits = 4});
  DataLoader loader = loader_of(1);
  const auto open = [&] {
    return std::make_unique<ModelLoss>(network, loader, ModelLossOptions{.loss = half_squares});
  };
  CHECK_THROWS_WITH_AS(open(), doctest::Contains("layer.weight_quant"), std::invalid_argument);
  Tensor(network.layer->weight_quantizer()->step()).fill(0.5f);
  const auto loss = open();
  std::vector<float> w = loss->objective().at;
  REQUIRE(w.size() == 3);
  w[index_of(loss->objective(), "layer.weight_quant.step")] = -1;
  CHECK(loss->objective().loss(w, nullptr) < 1e-12);
  w[0] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(loss->objective().loss(w, nullptr), DivergedError);
}
