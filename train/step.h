#pragma once
// One step of training, and its figures on their way from the device.
#include <functional>
#include <vector>

#include "data/loader.h"
#include "engine/module.h"
#include "optim/optimizer.h"

namespace ntq {

/// Logits {N,classes} and their batch -> the mean loss, one element, which gradients run back from.
using LossFn = std::function<Tensor(const Tensor& logits, const Batch& batch)>;
/// softmax_cross_entropy() of the labels.
LossFn cross_entropy(float smoothing = 0.0f);

/// What a step has come to, still on the device; undefined for a batch without images.
struct StepResult {
  Tensor loss;     ///< {1}: mean over the batch
  Tensor correct;  ///< {1}, int64: top-1
  int64_t images = 0;
};

/// Of the model's parameters; the CPU where there are none.
Device device_of(const Module& model);
/// The batch on the device of the model's parameters; itself where it lies there.
Batch on_device_of(const Module& model, const Batch& batch);

/// Forward, backward, update at rate `lr`, of any model whose output is logits; the batch is brought to its device, and
/// values between layers are stored as `activations` (activations.h). A
/// batch without images changes nothing. Throws DivergedError naming the first layer that is not finite, before the
/// update, where the loss is in the host's memory (a CPU); elsewhere StepResults finds it later.
StepResult train_step(Module& model, Optimizer& optimizer, const Batch& batch, const LossFn& loss, float lr,
                      DType activations = DType::f32);

/// Figures of a step on the host.
struct StepScore {
  int64_t step = 0;  ///< of the epoch, from 1
  int64_t images = 0, correct = 0;
  double loss = 0;  ///< mean over the batch
};

/// Keeps the results of steps until they are read, in order, so that no step waits for the device.
class StepResults {
 public:
  /// Reads as soon as there are `most` of them; 1: each at once, which is free on a CPU.
  StepResults(int64_t most, std::function<void(const StepScore&)> sink) : most_(most), sink_(std::move(sink)) {}
  void add(int64_t step, StepResult result);
  /// Gives all that wait to the sink: before a checkpoint is written, say. Throws DivergedError, naming the step, at
  /// the first loss that is not finite; those before it have been given.
  void read();

 private:
  struct Waiting {
    int64_t step;
    StepResult result;
  };
  int64_t most_;
  std::function<void(const StepScore&)> sink_;
  std::vector<Waiting> waiting_;
};

}  // namespace ntq
