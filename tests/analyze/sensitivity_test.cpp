#include "analyze/sensitivity.h"

#include <doctest/doctest.h>

#include "models/model.h"
#include "tests/analyze/losses.h"
#include "train/calibrate.h"

using namespace ntq;
using namespace ntq::test;
using doctest::Approx;

namespace {

std::shared_ptr<Module> calibrated_resnet(ModelOptions options, const std::string& name = "resnet20") {
  options.activation.method = options.weight.method = "lsq";
  auto model = make_model(name, options);
  DataLoader loader = loader_of(1, 4);
  calibrate_steps(*model, loader, 1);
  return model;
}

double million_bops(int bits) {
  ModelOptions options{.classes = 100};
  options.weight.bits = options.activation.bits = bits;
  options.first_last_bits = 8;
  double sum = 0;
  const auto model = calibrated_resnet(options, "resnet20-b");
  for (const LayerCost& layer : layer_costs(*model, {1, 32, 32, 3})) sum += layer.bops();
  return sum / 1e6;
}

}  // namespace

TEST_CASE("bit operations of ResNet-20-b with ends of 8 bits, as SAQ's table has them") {
  CHECK(million_bops(4) == Approx(674.644).epsilon(1e-6));
  CHECK(million_bops(3) == Approx(392.053).epsilon(1e-6));
}

TEST_CASE("layer costs: names and bits in the order of computation, floats as 32 bits") {
  ModelOptions options;
  options.bits_of["layer1.0.conv1"] = {.weight = 4, .activation = 8};
  const auto model = calibrated_resnet(options);
  const std::vector<LayerCost> costs = layer_costs(*model, {1, 32, 32, 3});
  REQUIRE(costs.size() == 20);
  CHECK(costs[0].name == "conv1");
  CHECK(costs[0].macs == 32 * 32 * 16 * 27);
  CHECK(costs[0].bops() == 32.0 * 32.0 * 32 * 32 * 16 * 27);
  CHECK(costs[1].name == "layer1.0.conv1");
  CHECK(costs[1].weight_bits == 4);
  CHECK(costs[1].input_bits == 8);
  CHECK(costs[19].name == "fc");
  CHECK(costs[19].macs == 640);
}

TEST_CASE("sensitivity: of one quantized layer alone, all is only this, and none is all but this") {
  ModelOptions options;
  options.bits_of["layer1.0.conv1"] = {.weight = 2, .activation = 2};
  const auto model = calibrated_resnet(options);
  DataLoader loader = loader_of(2, 4);
  int64_t calls = 0;
  const Sensitivity found = sensitivity(*model, loader, [&](int64_t, int64_t) { ++calls; });
  REQUIRE(found.layers.size() == 1);
  CHECK(found.layers[0].layer.name == "layer1.0.conv1");
  CHECK(found.images == 8);
  CHECK(calls == 2 * sensitivity_passes(*model));
  CHECK(found.layers[0].only.loss == found.all.loss);
  CHECK(found.layers[0].without.loss == found.none.loss);
  CHECK(found.all.loss != found.none.loss);
  CHECK(found.weights.loss != found.all.loss);
  CHECK(found.inputs.loss != found.all.loss);
  CHECK(found.weights.loss != found.inputs.loss);
}

TEST_CASE("sensitivity: each layer is switched alone, by a slow twin") {
  ModelOptions options;
  options.weight.bits = 2;
  const auto model = calibrated_resnet(options);
  DataLoader loader = loader_of(1, 2);
  const Sensitivity found = sensitivity(*model, loader);
  REQUIRE(found.layers.size() == 20);
  CHECK(found.inputs.loss == found.none.loss);
  // A network in which only this layer has a quantizer.
  ModelOptions one;
  one.bits_of["layer2.1.conv2"] = {.weight = 2};
  const auto twin = calibrated_resnet(one);
  DataLoader again = loader_of(1, 2);
  CHECK(sensitivity(*twin, again).all.loss == found.layers[10].only.loss);
  CHECK(found.layers[10].layer.name == "layer2.1.conv2");
}

TEST_CASE("sensitivity needs quantizers") {
  const auto model = make_model("resnet20", {});
  DataLoader loader = loader_of(1);
  CHECK_THROWS_WITH_AS(sensitivity(*model, loader), doctest::Contains("full precision"), std::invalid_argument);
}
