// Training on a device whose memory the host cannot read: batches are brought there, and nothing comes back unasked.
#include <doctest/doctest.h>

#include "tests/support/tested_devices.h"
#include "tests/train/tiny.h"
#include "train/calibrate.h"
#include "train/evaluate.h"
#include "train/layer_report.h"
#include "train/loop.h"
#include "train/step.h"

using namespace ntq;

namespace {

struct Run {
  std::vector<double> figures;  ///< of all epochs
  std::vector<LayerReport> layers;
};

/// Training with all that a run may ask for: calibration, averaging, validation, re-estimated norms, a report.
Run run_on(Device device) {
  Training t = test::tiny_training(4);
  t.model->to(device);
  t.optimizer = std::make_unique<Sgd>(t.model->parameters(), SgdOptions{});
  t.ema = std::make_unique<WeightAverage>(*t.model, 0.9f);
  Run run;
  calibrate_steps(*t.model, *t.train_loader, 2);
  train(t, {.bn_recalibrate = 2}, {.epoch = [&](const EpochScores& e) {
          for (const double figure : {e.train_loss, e.train_top1, e.val.loss(), e.val.top5_percent(), e.ema->loss()})
            run.figures.push_back(figure);
        }});
  run.layers = report_layers(*t.model);
  return run;
}

/// Loaded one by one, as photographs are.
struct LoadedSingly final : Dataset {
  explicit LoadedSingly(std::shared_ptr<Dataset> all) : inner(std::move(all)) {}
  int64_t size() const override { return inner->size(); }
  const DatasetInfo& info() const override { return inner->info(); }
  Sample get(int64_t index) const override { return inner->get(index); }
  std::shared_ptr<Dataset> inner;
};

enum class Batches { of_the_host, made_there, brought_there };

/// A training whose loaders give batches in one of these ways.
Training training_with(Batches how, int workers, Device device = test::emulated_device()) {
  Training t = test::tiny_training(4);
  t.model->to(device);
  t.optimizer = std::make_unique<Sgd>(t.model->parameters(), SgdOptions{});
  DatasetPair data = open_dataset("synthetic", {}, 64, 20);
  if (how == Batches::brought_there) {
    data = {std::make_shared<LoadedSingly>(data.train), std::make_shared<LoadedSingly>(data.val)};
  }
  set_data(t, data, {.batch_size = 8, .workers = workers, .device = how == Batches::of_the_host ? Device() : device});
  return t;
}

}  // namespace

TEST_CASE("a training on another device has the numbers of the CPU") {
  const Run expected = run_on(Device("cpu:portable")), found = run_on(test::tested_device());
  REQUIRE(found.figures.size() == 10);
  for (size_t i = 0; i < 10; ++i) CHECK(found.figures[i] == doctest::Approx(expected.figures[i]).epsilon(1e-4));
  REQUIRE(found.layers.size() == expected.layers.size());
  for (size_t i = 0; i < found.layers.size(); ++i) {
    const LayerReport &a = found.layers[i], &b = expected.layers[i];
    CHECK(a.weight_max == doctest::Approx(b.weight_max).epsilon(1e-4));
    CHECK(a.weight_error == doctest::Approx(b.weight_error).epsilon(1e-2));
  }
}

TEST_CASE("what is trained in TF32 is evaluated in float32") {
  const Device device = test::tested_device();
  const auto scores_of = [&](Products products) {
    backend_for(device).use_products(products);
    Training t = test::tiny_training(32);
    t.model->to(device);
    Sgd sgd(t.model->parameters(), {});
    recalibrate_norms(*t.model, *t.train_loader, 1);
    const double before = evaluate(*t.model, *t.val_loader).loss();
    CHECK(backend_for(device).products() == products);
    t.train_loader->start(0);
    const float loss =
        train_step(*t.model, sgd, *t.train_loader->next(), cross_entropy(), 0.01f).loss.to(Device()).f32()[0];
    backend_for(device).use_products(Products::float32);
    return std::pair(before, loss);
  };
  const auto exact = scores_of(Products::float32), rounded = scores_of(Products::tf32);
  CHECK(rounded.first == exact.first);
  if (test::named_devices().empty()) CHECK(rounded.second != exact.second);  // a GPU may have none for so few channels
  CHECK(rounded.second == doctest::Approx(exact.second).epsilon(1e-2));
}

TEST_CASE("a steady step on a device reads nothing back, waits for nothing and asks for no memory") {
  Training t = test::tiny_training(4);
  t.model->to(test::emulated_device());
  t.optimizer = std::make_unique<Sgd>(t.model->parameters(), SgdOptions{});
  const auto step = [&] {
    t.train_loader->start(0, 0);
    train_step(*t.model, *t.optimizer, *t.train_loader->next(), cross_entropy(), 0.01f);
  };
  for (int i = 0; i < 3; ++i) step(), synchronize(test::emulated_device());
  const auto before = test::emulated_counters();
  for (int i = 0; i < 3; ++i) step();
  const auto after = test::emulated_counters();
  CHECK(after.copies_to_host == before.copies_to_host);
  CHECK(after.waits == before.waits);
  CHECK(after.segments == before.segments);
  synchronize(test::emulated_device());
  CHECK(test::emulated_counters().launches > before.launches + 60);
}

TEST_CASE("steps that load their batches wait for nothing, whether these are made on the device or brought there") {
  for (const Batches how : {Batches::made_there, Batches::brought_there}) {
    for (const int workers : {0, 2}) {
      Training t = training_with(how, workers);
      emulated::Counters first, last;
      t.schedule.epochs = 1;
      train(t, {.read_every = 100}, {.updated = [&] {
              if (t.progress.step == 3) first = test::emulated_counters();
              if (t.progress.step == 8) last = test::emulated_counters();
            }});
      CHECK(last.copies_to_host == first.copies_to_host);
      CHECK(last.waits == first.waits);
      CHECK(last.segments == first.segments);
      CHECK(last.launches == first.launches);  // nothing has run yet
    }
  }
}

TEST_CASE("pinned memory is used again as soon as its copy is done") {
  for (const Batches how : {Batches::made_there, Batches::brought_there}) {
    Training t = training_with(how, 0);
    uint64_t first = 0, last = 0;
    t.schedule.epochs = 1;
    train(t, {.read_every = 100}, {.updated = [&] {
            synchronize(test::emulated_device());
            if (t.progress.step == 3) first = test::emulated_counters().pinned;
            if (t.progress.step == 8) last = test::emulated_counters().pinned;
          }});
    CHECK(first > 0);
    CHECK(last == first);
  }
}

TEST_CASE("a training ends with the same bits however its batches come to the device") {
  const auto bits_of = [](Batches how) {
    Training t = training_with(how, 1, test::tested_device());
    std::vector<double> figures;
    train(t, {.bn_recalibrate = 1}, {.epoch = [&](const EpochScores& e) {
            figures.insert(figures.end(), {e.train_loss, e.train_top1, e.val.loss(), e.val.top1_percent()});
          }});
    for (const auto& [name, tensor] : t.model->named_parameters()) {
      for (const float value : tensor.to_vector()) figures.push_back(static_cast<double>(value));
    }
    return figures;
  };
  const std::vector<double> expected = bits_of(Batches::of_the_host);
  CHECK(expected.size() > 100);
  CHECK(bits_of(Batches::made_there) == expected);
  CHECK(bits_of(Batches::brought_there) == expected);
}

TEST_CASE("batches of an evaluation on another device are read together, at its end at the latest") {
  for (const Batches how : {Batches::of_the_host, Batches::made_there, Batches::brought_there}) {
    Training t = training_with(how, 0);
    evaluate(*t.model, *t.val_loader);  // sets the quantizers' first steps
    const auto before = test::emulated_counters();
    const Scores scores = evaluate(*t.model, *t.val_loader, [&](int64_t done, int64_t) {
      const auto now = test::emulated_counters();
      CHECK(now.copies_to_host == before.copies_to_host);
      CHECK(now.waits == before.waits);
      return done < 2;
    });
    CHECK(test::emulated_counters().copies_to_host == before.copies_to_host + 6);
    CHECK(scores.images == 16);
  }
}

TEST_CASE("steps on another device read nothing back; their figures come together") {
  Training t = test::tiny_training(4);
  t.model->to(test::emulated_device());
  Sgd sgd(t.model->parameters(), {});
  std::vector<StepScore> seen;
  StepResults results(16, [&](const StepScore& score) { seen.push_back(score); });
  t.train_loader->start(0);
  const Batch batch = *t.train_loader->next();
  const auto step = [&](int64_t i) { results.add(i, train_step(*t.model, sgd, batch, cross_entropy(), 0.01f)); };
  step(1);  // sets the quantizers' first steps
  const auto before = test::emulated_counters();
  for (int64_t i = 2; i < 16; ++i) step(i);
  CHECK(test::emulated_counters().copies_to_host == before.copies_to_host);
  CHECK(test::emulated_counters().waits == before.waits);
  CHECK(seen.empty());
  step(16);
  REQUIRE(seen.size() == 16);
  CHECK(seen[15].loss < seen[0].loss);
  CHECK(seen[15].images == 8);
}
