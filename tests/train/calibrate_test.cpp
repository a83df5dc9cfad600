// From pretrained weights to a quantized start.
#include "train/calibrate.h"

#include <doctest/doctest.h>

#include <map>

#include "layers/batch_norm.h"
#include "quant/quantizer.h"
#include "tests/support/values.h"

using namespace ntq;

namespace {

Session two_bits() {
  TrainConfig c;
  c.dataset = "synthetic";
  c.model = "resnet20";
  c.bits = 2;
  c.method = "lsq";  // no noise: training and evaluation see the same weights
  c.limit_train = c.limit_val = 16;
  c.batch_size = 8;
  c.workers = 0;
  Console quiet(true, false);
  c = resolve(c);
  return make_session(c, open_data(c, quiet));
}

}  // namespace

TEST_CASE("steps are those of the first training step; nothing else changes") {
  Session calibrated = two_bits(), trained = two_bits();
  std::map<std::string, Tensor> before;
  for (const auto& [name, tensor] : calibrated.model->state_dict()) before[name] = tensor.clone();
  calibrate_steps(calibrated, 1);

  trained.train_loader->start(0);
  trained.model->train();
  trained.model->forward(trained.train_loader->next()->images);

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
