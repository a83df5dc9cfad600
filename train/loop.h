#pragma once
// The training loop. All that is random depends on (seed, epoch, image) or on counters in the checkpoint, so a run that
// stops anywhere and goes on from its last checkpoint ends with the same bits.
#include <functional>
#include <optional>

#include "train/evaluate.h"
#include "train/step.h"
#include "train/training.h"

namespace ntq {

/// What an epoch came to; percent.
struct EpochScores {
  int64_t epoch = 0;  ///< from 1
  double train_loss = 0, train_top1 = 0;
  double lr = 0;                   ///< of its last step
  Scores val;                      ///< without images where there is no val_loader
  std::optional<Scores> ema = {};  ///< of the weight average, when there is one
  bool best = false;               ///< the best top-1 so far: of the average where there is one
};

struct LoopOptions {
  LossFn loss = cross_entropy();
  /// Writes a checkpoint: behind the steps of an epoch, behind its validation, each `save_every` steps and when
  /// stopped.
  std::function<void()> save = {};
  int64_t save_every = 0;  ///< 0: once an epoch
  /// Asked after each step and each batch of validation; true: train() saves and throws TrainingStopped.
  std::function<bool()> stop = {};
  int64_t bn_recalibrate = 0;  ///< batches that re-estimate the batch norms before each validation
  int64_t read_every = 0;      ///< steps whose losses are read together; 0: 1 on a CPU, 16 elsewhere
};

/// What a caller may look at, each optional.
struct LoopEvents {
  std::function<void()> start = {};                               ///< of an epoch, or of what is left of one
  std::function<void()> updated = {};                             ///< progress is behind a step; its score comes later
  std::function<void(const StepScore&)> step = {};                ///< in order; a few steps late on some devices
  std::function<void()> trained = {};                             ///< the epoch's steps are done and saved
  std::function<void(int64_t done, int64_t of)> validation = {};  ///< batches
  std::function<void(const EpochScores&)> epoch = {};             ///< progress is behind it; then comes save()
};

/// LoopOptions::stop has said so, or a wait for data was interrupted; the steps so far are saved. Exit code 130.
struct TrainingStopped : Error {
  TrainingStopped() : Error("training was stopped", 130) {}
};

/// Trains from training.progress to the schedule's last epoch. Throws TrainingStopped; DivergedError, saying in which
/// step, and nothing is saved then; what a loader throws, with the steps before it saved.
void train(Training& training, const LoopOptions& options = {}, const LoopEvents& events = {});

}  // namespace ntq
