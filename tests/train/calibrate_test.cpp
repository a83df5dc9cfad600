// From pretrained weights to a quantized start.
#include "train/calibrate.h"

#include <doctest/doctest.h>

#include <map>

#include "models/model.h"
#include "tests/support/values.h"

using namespace ntq;

namespace {

/// Two bits without noise: training and evaluation see the same weights.
struct TwoBits {
  QuantSpec weight{.method = "lsq", .bits = 2};
  QuantSpec input{.method = "lsq", .bits = 2, .is_signed = false, .is_weight = false};
  std::shared_ptr<Module> model = make_model("resnet20", {.weight = weight, .activation = input});
  DataLoader loader{open_dataset("synthetic", {}, 16, 16).train, {.batch_size = 8, .workers = 0}};
};

}  // namespace

TEST_CASE("steps are those of the first training step; nothing else changes") {
  TwoBits calibrated, trained;
  std::map<std::string, Tensor> before;
  for (const auto& [name, tensor] : calibrated.model->state_dict()) before[name] = tensor.clone();
  calibrate_steps(*calibrated.model, calibrated.loader, 1);

  trained.loader.start(0);
  trained.model->train();
  trained.model->forward(trained.loader.next()->images);

  std::map<std::string, Tensor> first;
  for (const auto& [name, tensor] : trained.model->state_dict()) first[name] = tensor;
  int steps = 0;
  for (const auto& entry : calibrated.model->state_dict()) {
    const std::string& name = entry.first;
    const Tensor& tensor = entry.second;
    if (tensor.dtype() != DType::f32) continue;
    CAPTURE(name);
    const bool step = name.size() > 5 && name.compare(name.size() - 5, 5, ".step") == 0;
    steps += step;
    CHECK(test::same_values(tensor, step ? first.at(name) : before.at(name)));
  }
  CHECK(steps == 40);
  CHECK(calibrated.model->training());
}
