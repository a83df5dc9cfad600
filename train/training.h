#pragma once
// Training: a model with what trains it, and how far it has come.
#include <memory>

#include "data/loader.h"
#include "engine/module.h"
#include "optim/ema.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/weight_statistics.h"

namespace ntq {

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

struct Training {
  std::shared_ptr<Module> model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<WeightAverage> ema;                    ///< null: none
  std::unique_ptr<DataLoader> train_loader, val_loader;  ///< val_loader null: epochs end without validation
  Schedule schedule;
  std::unique_ptr<WeightStatistics> statistics;  ///< null: none
  DType activations = DType::f32;                ///< activations.h; a run that goes on has to keep it
  Progress progress;

  int64_t global_step() const { return progress.epoch * schedule.steps_per_epoch + progress.step; }
};

/// Loaders of both sets, that of validation as in_order() says, and the schedule's steps per epoch.
inline void set_data(Training& training, const DatasetPair& data, const LoaderOptions& options) {
  training.train_loader = std::make_unique<DataLoader>(data.train, options);
  training.val_loader = std::make_unique<DataLoader>(data.val, in_order(options));
  training.schedule.steps_per_epoch = training.train_loader->batches_per_epoch();
}

}  // namespace ntq
