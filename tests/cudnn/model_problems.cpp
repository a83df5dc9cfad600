#include "tests/cudnn/model_problems.h"

#include <set>

#include "engine/backend/module_interface.h"
#include "engine/backend/registry.h"
#include "engine/ops/loss.h"
#include "tests/cudnn/recorder.h"

namespace ntq::test {
namespace {

Recorder& recorder() {
  static Recorder only;
  static const BackendModule module{.create = [](int, BackendError*) -> Backend* { return &only; }};
  [[maybe_unused]] static const bool known = (register_backend("recorder", module), true);
  return only;
}

void forward(Module& model, const Use& use, int64_t batch, bool backward) {
  const Device device("recorder:0");
  const Tensor images = Tensor::empty({batch, use.size, use.size, 3}, DType::f32, device);
  const Tensor labels = Tensor::empty({batch}, DType::i32, device);
  const Tensor loss = softmax_cross_entropy(model.forward(images), labels);
  if (backward) loss.backward();
}

}  // namespace

std::vector<cudnn::Problem> problems_of(const std::string& model, const Use& use) {
  Recorder& device = recorder();
  device.problems.clear();
  const auto network = make_model(model, {.classes = use.classes, .stem = use.stem});
  network->to(Device("recorder:0"));
  forward(*network, use, use.training_batch, true);
  network->eval();
  const NoGrad nothing_kept;
  forward(*network, use, use.evaluation_batch, false);
  return device.problems;
}

std::vector<cudnn::Problem> without_repeats(const std::vector<cudnn::Problem>& problems) {
  std::set<cudnn::Problem::Key> seen;
  std::vector<cudnn::Problem> once;
  for (const cudnn::Problem& problem : problems) {
    if (seen.insert(problem.key()).second) once.push_back(problem);
  }
  return once;
}

}  // namespace ntq::test
