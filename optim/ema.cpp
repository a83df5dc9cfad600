#include "optim/ema.h"

#include <algorithm>

#include "engine/ops/on_device.h"
#include "optim/optimizer.h"

namespace ntq {

WeightAverage::WeightAverage(const Module& model, float decay)
    : live_(model.state_dict()), parameters_(model.named_parameters().size()), decay_(decay) {
  check(0.0f <= decay && decay < 1.0f, "WeightAverage: decay must be in [0, 1), found ", decay);
  for (const auto& [name, tensor] : live_) average_.emplace_back(name, tensor.clone());
}

void WeightAverage::update() {
  check(!swapped_, "WeightAverage::update: the averages are in the model, call swap() first");
  const auto done = static_cast<float>(updates_++);
  const float decay = std::min(decay_, (1.0f + done) / (10.0f + done));
  for (size_t i = 0; i < live_.size(); ++i) {
    const Tensor& value = live_[i].second;
    Tensor& average = average_[i].second;
    if (i >= parameters_) {  // state_dict() puts the buffers behind the parameters
      average.copy_from(value);
      continue;
    }
    check_same_device("WeightAverage::update", live_[i].first, value, average);
    Backend& backend = backend_for("WeightAverage", Primitive::axpy, {value, average});
    backend.scale(decay, average.view(), average.view());
    backend.axpy(1.0f - decay, value.view(), average.view());
  }
}

void WeightAverage::load_state_dict(const NamedTensors& state) {
  check(!swapped_, "WeightAverage::load_state_dict: the averages are in the model, call swap() first");
  copy_by_name("WeightAverage::load_state_dict", average_, state);
}

void WeightAverage::swap() {
  for (size_t i = 0; i < live_.size(); ++i) {
    const Tensor before = live_[i].second.clone();
    live_[i].second.copy_from(average_[i].second);
    average_[i].second.copy_from(before);
  }
  swapped_ = !swapped_;
}

}  // namespace ntq
