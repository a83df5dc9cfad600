#include "train/checkpoint.h"

#include <doctest/doctest.h>

#include "base/check.h"
#include "tests/support/files.h"
#include "tests/support/text.h"
#include "tests/train/tiny.h"
#include "train/loop.h"
#include "train/weights.h"

using namespace ntq;
using ntq::test::contains;
using ntq::test::error_of;
using ntq::test::tiny_training;

TEST_CASE("a checkpoint has the caller's metadata, and says what is wrong with an entry") {
  const Training t = tiny_training();
  TensorFile file = checkpoint_file(t, {{"fork.recipe", "mine"}, {"fork.width", "12"}});
  CHECK(is_checkpoint(file));
  CHECK(metadata_text(file.metadata, "fork.recipe", "a.bin") == "mine");
  CHECK(metadata_integer(file.metadata, "fork.width", "a.bin", 1, 20) == 12);
  CHECK(error_of<CheckpointError>([&] { metadata_integer(file.metadata, "fork.width", "a.bin", 1, 9); }) ==
        "a.bin: metadata 'fork.width': expected an integer from 1 to 9, found 12");
  CHECK(contains(error_of<CheckpointError>([&] { metadata_text(file.metadata, "fork.depth", "a.bin"); }),
                 "expected a value, found none"));
  file.metadata["ntq.loss_sum"] = "1.5";
  CHECK(contains(error_of<CheckpointError>([&] { read_checkpoint(file, "a.bin"); }), "expected 16 hex digits"));
}

TEST_CASE("of another model, or further than the schedule goes: refused") {
  Training t = tiny_training(), other = tiny_training(4);
  train(t);
  const Checkpoint end = read_checkpoint(checkpoint_file(t), "end.bin");
  CHECK(end.progress.epoch == 2);
  CHECK(
      contains(error_of<CheckpointError>([&] { restore(other, end, "end.bin"); }), "end.bin: does not fit the model"));
  Training shorter = tiny_training();
  shorter.schedule.epochs = 1;
  CHECK(contains(error_of<CheckpointError>([&] { restore(shorter, end, "end.bin"); }), "expected at most epoch 1"));
}

TEST_CASE("resume: goes on from a file, starts without one, refuses what it cannot read") {
  const test::TempFolder dir;
  Training t = tiny_training(), other = tiny_training();
  const std::string path = dir / "run.bin";
  CHECK_FALSE(resume(t, path));
  CHECK(t.progress.epoch == 0);
  train(t, {.save = [&] { save_checkpoint(path, t); }});
  REQUIRE(resume(other, path));
  CHECK(other.progress.epoch == 2);
  CHECK(other.model->state_dict()[0].second.to_vector() == t.model->state_dict()[0].second.to_vector());
  CHECK_THROWS_AS(resume(other, dir.str()), CheckpointError);
}

TEST_CASE("names of tensors that a checkpoint needs for itself are refused") {
  struct Bad : Module {
    std::shared_ptr<test::Small> ema = register_module("ema", std::make_shared<test::Small>(32));
    Tensor forward(const Tensor& x) override { return ema->forward(x); }
  };
  Training t;
  t.model = std::make_shared<Bad>();
  t.optimizer = std::make_unique<Sgd>(t.model->parameters(), SgdOptions{});
  CHECK_THROWS_AS(checkpoint_file(t), std::invalid_argument);
}

TEST_CASE("weights of a checkpoint are taken as they lie in it, of the average where there is one") {
  Training t = tiny_training(32, 0.9f);
  t.model->state_dict()[0].second.fill(0.25f);  // not in the average
  const Weights weights = read_weights(checkpoint_file(t), "a.bin");
  const NamedTensors average = t.ema->state_dict();
  CHECK(weights.tensors.size() == average.size());
  for (const auto& [name, tensor] : average) {
    CHECK(weights.tensors.at(name).shape() == tensor.shape());
    CHECK(weights.tensors.at(name).to_vector() == tensor.to_vector());
  }
}
