#pragma once
// Session: data, model, optimizer and schedule of one run, built from its options, and how far it has come.
#include <memory>

#include "apps/config.h"
#include "apps/console.h"
#include "apps/data_record.h"
#include "data/loader.h"
#include "engine/module.h"
#include "optim/ema.h"
#include "optim/schedule.h"
#include "optim/sgd.h"

namespace ntq::apps {

/// Where a run stands, and the sums of the epoch it is in. Saved in checkpoints to the bit.
struct Progress {
  int64_t epoch = 0;       ///< finished epochs
  int64_t step = 0;        ///< finished steps of the epoch after those
  double loss_sum = 0;     ///< over the images of the epoch so far
  int64_t correct = 0;     ///< of them, top-1
  int64_t seen = 0;        ///< images of the epoch so far
  double best_top1 = 0;    ///< percent
  int64_t best_epoch = 0;  ///< from 1; 0: none yet
};

struct Session {
  TrainConfig config;
  DatasetPair data;
  DataRecord record;  ///< of `data`
  std::shared_ptr<Module> model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<WeightAverage> ema;  ///< null without --model-ema
  std::unique_ptr<DataLoader> train_loader, val_loader;
  Schedule schedule;
  Progress progress;

  int64_t global_step() const { return progress.epoch * schedule.steps_per_epoch + progress.step; }
};

/// Shows progress while class folders are read for the first time, and warns of what was left out. `classes`: names
/// that the labels have to mean, in label order; empty: the data's own, of a list of numbers `class_count` or more.
DatasetPair open_data(const TrainConfig& config, Console& console, const std::vector<std::string>& classes = {},
                      int64_t class_count = 0);
/// Gray images take the first of the three numbers of --mean and --std: throws UsageError where the others differ,
/// which would be lost in silence.
void check_gray(const TrainConfig& config, const DatasetInfo& info);
/// The model that the options describe, for `classes` and images of `channels`.
std::shared_ptr<Module> build_model(const TrainConfig& config, int64_t classes, int64_t channels);
/// Loader of the validation images: in order, unchanged, every one.
std::unique_ptr<DataLoader> make_val_loader(const TrainConfig& config, const DatasetPair& data);
/// Loader of the training images: shuffled, augmented, full batches only.
std::unique_ptr<DataLoader> make_train_loader(const TrainConfig& config, const DatasetPair& data);
/// Throws UsageError when an epoch would have no step.
Session make_session(const TrainConfig& config, const DatasetPair& data);

}  // namespace ntq::apps
