#include "apps/estimate.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace ntq;
using namespace ntq::apps;

TEST_CASE("a session is after an estimate what it was before") {
  TrainConfig c;
  c.dataset = "synthetic";
  c.model = "resnet20";
  c.bits = 4;
  c.limit_train = c.limit_val = 8;
  c.batch_size = 4;
  c.workers = 0;
  c.epochs = 2;
  c.model_ema = 0.9;
  c = resolve(c);
  Console quiet(true, false);
  Session session = make_session(c, open_data(c, quiet));
  const auto state = [&] {
    const TensorFile file = checkpoint_file(session);
    std::pair<Metadata, std::vector<std::string>> out{file.metadata, {}};
    for (const auto& [name, tensor] : file.tensors) {
      out.second.push_back(name + std::string(static_cast<const char*>(tensor.raw()), tensor.bytes()));
    }
    return out;
  };
  const auto before = state();
  const Estimate estimate = estimate_stage(session);
  CHECK(estimate.step_seconds > 0);
  CHECK(estimate.steps_per_epoch == 2);
  CHECK((state() == before));
  for (const auto& [name, tensor] : session.model->named_parameters()) CHECK_FALSE(tensor.grad().defined());
}
