#include "train/loop.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/text.h"
#include "tests/train/tiny.h"
#include "train/checkpoint.h"

using namespace ntq;
using ntq::test::contains;
using ntq::test::tiny_training;

namespace {

/// All that a checkpoint holds, as text and numbers.
using State = std::pair<Metadata, std::vector<std::pair<std::string, std::vector<float>>>>;

State state_of(const Training& t) {
  const TensorFile file = checkpoint_file(t);
  State out{file.metadata, {}};
  for (const auto& [name, tensor] : file.tensors) {
    if (tensor.dtype() == DType::f32) out.second.emplace_back(name, tensor.to_vector());
  }
  return out;
}

/// A copy: what a file would keep.
Checkpoint kept(const Training& t) {
  TensorFile file = checkpoint_file(t);
  for (auto& [name, tensor] : file.tensors) tensor = tensor.clone();
  return read_checkpoint(file, "kept");
}

}  // namespace

TEST_CASE("set_data: full batches of training, every image of validation") {
  const DatasetPair data = open_dataset("synthetic", {}, 20, 10);
  Training t;
  set_data(t, data, {.batch_size = 8, .workers = 0});
  CHECK(t.schedule.steps_per_epoch == 2);
  CHECK(t.train_loader->batches_per_epoch() == 2);
  t.val_loader->start(0);
  std::vector<int32_t> labels;
  while (const auto batch = t.val_loader->next()) {
    for (const int32_t label : batch->labels.to_vector<int32_t>()) labels.push_back(label);
  }
  REQUIRE(labels.size() == 10);
  for (int64_t i = 0; i < 10; ++i) CHECK(labels[static_cast<size_t>(i)] == data.val->get(i).label);
}

TEST_CASE("a run that stops anywhere and goes on ends with the same bits, however losses are read") {
  Training whole = tiny_training(4, 0.9f);
  train(whole);
  const State expected = state_of(whole);
  CHECK(whole.progress.epoch == 2);
  for (const int64_t stop_at : {1, 3, 4, 6, 9}) {  // 9: within the first validation
    CAPTURE(stop_at);
    std::optional<Checkpoint> last;
    Training stopped = tiny_training(4, 0.9f);
    int64_t asked = 0;
    const LoopOptions options{.save = [&] { last = kept(stopped); },
                              .stop = [&] { return ++asked == stop_at; },
                              .read_every = stop_at % 2 == 0 ? 3 : 0};
    CHECK_THROWS_AS(train(stopped, options), TrainingStopped);
    REQUIRE(last);
    Training resumed = tiny_training(4, 0.9f);
    restore(resumed, *last, "last");
    train(resumed, {.read_every = 2});
    CHECK((state_of(resumed) == expected));
  }
}

TEST_CASE("events come in order, with figures that add up") {
  Training t = tiny_training();
  std::string order;
  double sum = 0;
  std::vector<EpochScores> epochs;
  const LoopEvents events{.start = [&] { order += "("; },
                          .step = [&](const StepScore& s) { order += std::to_string(s.step), sum += s.loss; },
                          .trained = [&] { order += "|"; },
                          .validation = [&](int64_t done, int64_t of) { order += done == of ? "V" : "v"; },
                          .epoch = [&](const EpochScores& s) { order += ")", epochs.push_back(s); }};
  int saves = 0;
  train(t, {.save = [&] { ++saves, order += "s"; }, .save_every = 3}, events);
  CHECK(order == "(123s4s|vV)s(12s34s|vV)s");
  REQUIRE(epochs.size() == 2);
  CHECK((epochs[0].train_loss + epochs[1].train_loss) * 4 == doctest::Approx(sum));
  CHECK(epochs[0].val.images == 16);
  CHECK_FALSE(epochs[0].ema);
  CHECK(epochs[0].best);
  CHECK(t.progress.best_epoch >= 1);
}

TEST_CASE("a loss that is found late is reported with its step, and never saved") {
  Training t = tiny_training();
  int steps = 0, saved = 0;
  // What an asynchronous device would do: the loss is finite while train_step() looks, and not when it is read.
  std::vector<Tensor> losses;
  LoopOptions options{.save = [&] { ++saved; }, .save_every = 4, .read_every = 100};
  options.loss = [&](const Tensor& logits, const Batch& batch) {
    const Tensor loss = cross_entropy()(logits, batch);
    losses.push_back(loss.detach());
    if (++steps == 4) Tensor(losses[1]).fill(NAN);
    return loss;
  };
  std::vector<int64_t> seen;
  const std::string message = test::error_of<DivergedError>(
      [&] { train(t, options, {.step = [&](const StepScore& step) { seen.push_back(step.step); }}); });
  CHECK(contains(message, "epoch 1, step 2: the loss is not a number, seen after step 4"));
  CHECK(seen == std::vector<int64_t>{1});
  CHECK(saved == 0);
}

TEST_CASE("stopped while the average is validated: the model's own weights are saved") {
  Training t = tiny_training(32, 0.9f);
  const auto data = open_dataset("synthetic", {}, 32, 16);
  int validations = 0;
  std::vector<float> before, saved;
  LoopEvents events;
  events.trained = [&] { before = t.model->state_dict()[0].second.to_vector(); };
  events.validation = [&](int64_t, int64_t) {
    if (++validations == 3) throw LoadInterrupted();  // as the loader would, behind a signal
  };
  const LoopOptions options{.save = [&] { saved = t.model->state_dict()[0].second.to_vector(); }};
  CHECK_THROWS_AS(train(t, options, events), TrainingStopped);
  CHECK(saved == before);
}
