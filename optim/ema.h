#pragma once
// Exponential moving average of a model's weights.
#include "engine/module.h"

namespace ntq {

/// average = decay * average + (1 - decay) * value for parameters; buffers are copied. The decay warms up as
/// min(decay, (1 + t) / (10 + t)) with t updates done before, as TensorFlow does. Starts as a copy of the model, which
/// must not get other tensors later (load_state_dict() keeps them).
class WeightAverage {
 public:
  /// `decay` in [0, 1).
  WeightAverage(const Module& model, float decay);
  /// Call it after each optimizer step. Throws std::invalid_argument between two swap() calls, as load_state_dict().
  void update();
  int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }
  /// Averaged tensors by name, sharing memory; the model's own values between two swap() calls.
  NamedTensors state_dict() const { return average_; }
  /// Errors as copy_by_name().
  void load_state_dict(const NamedTensors& state);
  /// Exchanges the model's values with the averages; call it twice around an evaluation.
  void swap();

 private:
  NamedTensors live_, average_;
  size_t parameters_ = 0;
  float decay_;
  int64_t updates_ = 0;
  bool swapped_ = false;
};

}  // namespace ntq
