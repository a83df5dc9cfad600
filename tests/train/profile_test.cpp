#include "train/profile.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include "engine/autograd.h"
#include "engine/backend/registry.h"
#include "engine/ops/binary.h"
#include "engine/ops/loss.h"
#include "models/model.h"
#include "optim/sgd.h"
#include "train/step.h"

using namespace ntq;

namespace {

struct Trained {
  std::shared_ptr<Module> model;
  std::unique_ptr<Sgd> sgd;
  Batch batch;

  Trained() {
    ModelOptions options;
    options.weight = {.method = "lsq", .bits = 4};
    options.activation = {.method = "lsq", .bits = 4, .is_weight = false};
    model = make_model("resnet20", options);
    sgd = std::make_unique<Sgd>(model->parameters(), SgdOptions{.momentum = 0.9f});
    batch.images = Tensor::empty({2, 32, 32, 3});
    for (int64_t i = 0; i < batch.images.numel(); ++i) batch.images.f32()[i] = std::sin(static_cast<float>(i));
    batch.labels = Tensor::from({2}, std::span<const int32_t>(std::vector<int32_t>{3, 8}));
  }
  void step() { train_step(*model, *sgd, batch, cross_entropy(), 0.01f); }
  std::vector<float> weights() const {
    std::vector<float> all;
    for (const auto& [name, tensor] : model->state_dict()) {
      if (tensor.dtype() != DType::f32) continue;
      const auto values = tensor.to_vector();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
};

double sum_of(const Profile& profile, const std::string& phase, const std::string& beginning) {
  double calls = 0;
  for (const ProfileRow& row : profile.rows()) {
    if (row.phase == phase && row.primitive.rfind(beginning, 0) == 0) calls += static_cast<double>(row.calls);
  }
  return calls;
}

}  // namespace

TEST_CASE("profile: counts each primitive of a step where it belongs, and changes no bit") {
  Trained plain, profiled;
  for (int i = 0; i < 2; ++i) plain.step();
  Profile profile(*profiled.model);
  profile.begin_training();
  for (int i = 0; i < 2; ++i) profiled.step(), profile.end_step();
  profile.begin_validation();
  {
    const NoGrad no_grad;
    profiled.model->eval();
    profiled.model->forward(profiled.batch.images);
    profiled.model->train();
  }
  profile.stop();
  CHECK(profile.steps() == 2);
  // 19 convolutions and the classifier, in each direction: the step of the images' quantizer needs a gradient too.
  // Weights are codes from the second step on.
  CHECK(sum_of(profile, "forward", "conv2d ") == 20);
  CHECK(sum_of(profile, "forward", "conv2d_codes ") == 20);
  CHECK(sum_of(profile, "backward", "conv2d_grad_input ") == 40);
  CHECK(sum_of(profile, "backward", "conv2d_grad_weight ") == 40);
  CHECK(sum_of(profile, "validation", "conv2d ") == 20);
  CHECK(sum_of(profile, "forward", "conv2d_grad") == 0);
  CHECK(sum_of(profile, "update", "sgd_step") == 2);
  CHECK(sum_of(profile, "forward", "quantize") > 0);
  CHECK(sum_of(profile, "backward", "quantize_grad") > 0);

  double training = 0, flop = 0;
  for (const ProfileRow& row : profile.rows()) {
    CAPTURE(row.primitive);
    CHECK(row.bytes > 0);
    CHECK(row.least_seconds > 0);
    if (row.phase != "validation") training += row.seconds, flop += row.flop;
  }
  CHECK(training <= profile.training_seconds());
  CHECK(training > 0.5 * profile.training_seconds());
  CHECK(flop == 2 * 2 * 6 * 40'551'040.0);  // steps, images, operations for each multiply-add

  double begin = 0, in_events = 0;
  std::set<std::string> layers;
  for (const ProfileEvent& event : profile.events()) {
    CHECK(event.begin >= begin);
    begin = event.begin;
    in_events += event.seconds;
    if (event.layer) layers.insert(*event.layer);
  }
  double in_rows = 0;
  for (const ProfileRow& row : profile.rows()) in_rows += row.seconds;
  CHECK(in_events == doctest::Approx(in_rows));
  CHECK(layers.contains("layer1.0.conv1"));
  CHECK(layers.contains("layer3.2.bn2"));
  CHECK(layers.contains("fc"));
  REQUIRE(profile.step_times().size() == 2);

  profiled.step();  // nobody counts any more
  CHECK(sum_of(profile, "forward", "conv2d") == 40);
  plain.step();
  CHECK((plain.weights() == profiled.weights()));
}

TEST_CASE("profile: ops that a gradient is made of belong to it") {
  Trained t;
  Profile profile(*t.model);
  profile.begin_training();
  const LossFn squared = [](const Tensor& logits, const Batch& batch) {
    const Tensor loss = cross_entropy()(logits, batch);
    return mul(loss, loss);
  };
  train_step(*t.model, *t.sgd, t.batch, squared, 0.01f);
  profile.stop();
  std::map<std::string, int64_t> calls;
  for (const ProfileRow& row : profile.rows()) {
    if (row.op == "mul") calls[row.phase] += row.calls;
  }
  CHECK(calls["forward"] == 1);
  CHECK(calls["backward"] == 2);
}

TEST_CASE("profile: keeps so many events and counts on") {
  Trained t;
  Profile profile(*t.model, 10);
  profile.begin_training();
  t.step(), profile.end_step();
  t.step(), profile.end_step();
  profile.stop();
  CHECK(profile.events().size() == 10);
  CHECK(profile.left_out() > 100);
  CHECK(profile.steps() == 2);
  CHECK(sum_of(profile, "forward", "conv2d") == 40);
  CHECK(profile.step_times().empty());
}

TEST_CASE("the limit of a product goes by what it multiplies") {
  const MachineLimits limits{.fma = 1, .bf16_dot = 2, .byte_dot = 3, .copy = 4};
  CHECK(limits.products(DType::f32, DType::f32, DType::f32) == 1);
  CHECK(limits.products(DType::bf16, DType::f32, DType::bf16) == 2);
  CHECK(limits.products(DType::u8, DType::f32, DType::bf16) == 2);
  CHECK(limits.products(DType::bf16, DType::u8, DType::f32) == 2);
  CHECK(limits.products(DType::u8, DType::i8, DType::i32) == 3);
  CHECK(limits.products(DType::u8, DType::i8, DType::bf16) == 3);
  CHECK(limits.products(DType::u8, DType::f32, DType::f32) == 1);
  CHECK(MachineLimits{.fma = 1}.products(DType::bf16, DType::f32, DType::bf16) == 1);
}
