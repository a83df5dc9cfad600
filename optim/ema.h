#pragma once
// Exponential moving average of a model's weights.
#include "engine/module.h"

namespace ntq {

/// average = decay * average + (1 - decay) * value for parameters; buffers are copied. The decay warms up as
/// min(decay, (1 + t) / (10 + t)), as timm and TensorFlow do.
class WeightAverage {
 public:
  WeightAverage(const Module& model, float decay);
  void update();
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }
  /// Averaged tensors by name, sharing memory.
  NamedTensors state_dict() const { return average_; }
  void load_state_dict(const NamedTensors& state);
  /// Exchanges the model's values with the averages; call it twice around an evaluation.
  void swap();

 private:
  NamedTensors live_, average_;
  size_t parameters_ = 0;
  float decay_;
  int64_t updates_ = 0;
};

}  // namespace ntq
