// A whole training on a device that is not the default one.
#include <doctest/doctest.h>

#include "tests/support/files.h"
#include "tests/train/tiny.h"
#include "train/calibrate.h"
#include "train/checkpoint.h"
#include "train/layer_report.h"
#include "train/loop.h"

using namespace ntq;

namespace {

struct DeviceRun {
  std::vector<EpochScores> epochs;
  QuantMeans means;
};

/// Stopped after the first epoch, and gone on with from a file.
DeviceRun train_on_device(Device device, const std::string& path) {
  DeviceRun out;
  const LoopEvents events{.epoch = [&](const EpochScores& scores) { out.epochs.push_back(scores); }};
  for (const int64_t epochs : {1, 2}) {
    Training t = test::tiny_training(4);
    t.model->to(device);
    t.optimizer = std::make_unique<Sgd>(t.model->parameters(), SgdOptions{});
    t.schedule = {.kind = ScheduleKind::constant, .lr = 0.01f, .epochs = 2};
    set_data(t, open_dataset("synthetic", {}, 32, 16), {.batch_size = 8, .workers = 0, .device = device});
    if (epochs == 1) calibrate_steps(*t.model, *t.train_loader, 1);
    if (epochs == 2) restore(t, load_checkpoint(path), path);
    const LoopOptions options{.save = [&] { save_checkpoint(path, t); },
                              .stop = [&] { return t.progress.epoch + 1 > epochs; }};
    try {
      train(t, options, events);
    } catch (const TrainingStopped&) {
    }
    out.means = quant_means(report_layers(*t.model));
  }
  return out;
}

}  // namespace

TEST_CASE("loop, calibration, validation, checkpoint and report on another device") {
  const test::TempFolder folder;
  const DeviceRun expected = train_on_device(Device(), folder / "cpu.bin");
  const DeviceRun found = train_on_device(Device("cpu:portable"), folder / "device.bin");
  REQUIRE(found.epochs.size() == 2);
  REQUIRE(expected.epochs.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    CHECK(found.epochs[i].train_loss == doctest::Approx(expected.epochs[i].train_loss).epsilon(1e-3));
    CHECK(found.epochs[i].val.loss() == doctest::Approx(expected.epochs[i].val.loss()).epsilon(1e-3));
  }
  CHECK(found.means.step == doctest::Approx(expected.means.step).epsilon(1e-3));
  CHECK(found.means.error > 0);
}
