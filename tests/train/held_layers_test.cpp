// Layers that a method holds still: NICE's frozen stages, through real steps of training.
#include <doctest/doctest.h>

#include <set>

#include "models/model.h"
#include "optim/sgd.h"
#include "quant/tree.h"
#include "tests/support/numeric_grad.h"
#include "train/step.h"

using namespace ntq;

namespace {

std::shared_ptr<Module> staged_model(bool freeze) {
  ModelOptions options;
  options.weight = {.method = "nice", .bits = 3, .settings = {{"freeze_stages", freeze}}};
  options.activation = {.method = "nice", .bits = 3};
  return make_model("resnet20", options);
}

/// Names of the parameters that one step at this fraction of the run leaves as they were.
std::set<std::string> still(Module& model, Optimizer& optimizer, double fraction) {
  std::vector<std::vector<float>> before;
  for (const auto& entry : model.named_parameters()) before.push_back(entry.second.to_vector());
  const std::vector<int32_t> labels = {1, 3};
  const Batch batch{test::some_values({2, 8, 8, 3}), Tensor::from({2}, std::span<const int32_t>(labels))};
  set_progress(model, fraction);
  train_step(model, optimizer, batch, cross_entropy(), 0.01f);
  std::set<std::string> out;
  size_t at = 0;
  for (const auto& [name, tensor] : model.named_parameters()) {
    if (tensor.to_vector() == before[at++]) out.insert(name);
  }
  return out;
}

}  // namespace

TEST_CASE("nice: layers whose stage has passed stand still with their batch norm, until the last stage is over") {
  const auto frozen = staged_model(true), open = staged_model(false);
  Sgd sgd(frozen->parameters(), {.momentum = 0.9f, .weight_decay = 1e-2f});
  Sgd other(open->parameters(), {.momentum = 0.9f, .weight_decay = 1e-2f});
  CHECK(still(*frozen, sgd, 0).empty());
  CHECK(still(*open, other, 0).empty());
  // 20 layers in the first half of the run: 0.06 is the stage of the third, layer1.0.conv2.
  const std::set<std::string> held = {"conv1.weight",
                                      "bn1.weight",
                                      "bn1.bias",
                                      "layer1.0.conv1.weight",
                                      "layer1.0.conv1.input_quant.clamp",
                                      "layer1.0.bn1.weight",
                                      "layer1.0.bn1.bias"};
  CHECK(still(*frozen, sgd, 0.06) == held);
  CHECK(still(*open, other, 0.06).empty());
  CHECK(still(*frozen, sgd, 0.49).size() == frozen->named_parameters().size() - 3);  // fc: weight, bias, clamp
  CHECK(still(*frozen, sgd, 0.5).empty());
}
