#include "quant/step_quantizer.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/quantize.h"

namespace ntq {

// Floor of the first step: an all-zero tensor still quantizes, to zeros.
constexpr double kSmallestStep = 1e-8;

StepQuantizer::StepQuantizer(const QuantSpec& spec, NoiseLevel noise)
    : Quantizer(spec),
      noise_(noise),
      stream_(stream_id(spec.name + ".noise")),
      step_(register_parameter("step", Tensor::zeros({1}))),
      calls_(register_buffer("calls", Tensor::zeros({1}, DType::i64))) {}

Tensor StepQuantizer::forward(const Tensor& x) {
  check(x.defined() && x.dtype() == DType::f32 && x.shape().rank() >= 1 && x.numel() > 0, spec().name,
        ": needs a float32 tensor with elements, found ", x.defined() ? x.shape().str() : "none");
  if (calibrating_ || step_.item() == 0.0f) init_step(x);
  check_step();
  QuantizeArgs args{.range = range(), .grad_scale = grad_scale(x)};
  if (training()) {
    int64_t& calls = *calls_.data<int64_t>();
    if (noise_.c > 0.0f)
      args.noise = {noise_.c, noise_.k, {.seed = spec().seed, .stream = stream_, .step = static_cast<uint32_t>(calls)}};
    ++calls;
  }
  return quantize(x, step_, args);
}

Tensor StepQuantizer::codes(const Tensor& x) const {
  check(step_.item() != 0.0f, spec().name, ": the step is not set; run one forward pass or load a checkpoint first");
  check_step();
  return quantize_codes(x, step_, range());
}

void StepQuantizer::calibrate(bool on) {
  calibrating_ = on;
  sum_abs_ = count_ = 0;
}

void StepQuantizer::init_step(const Tensor& x) {
  if (!calibrating_) sum_abs_ = count_ = 0;
  sum_abs_ += backend_for(x.device()).sum_abs(x.f32(), x.numel());
  count_ += static_cast<double>(x.numel());
  const double mean_abs = sum_abs_ / count_;
  if (!std::isfinite(mean_abs))
    throw DivergedError(
        concat(spec().name, ": the first input, ", x.shape(),
               ", is not finite, so no step can be taken from it; check the data and the learning rate"));
  const double step = 2.0 * mean_abs / std::sqrt(static_cast<double>(range().high));
  step_.fill(static_cast<float>(std::max(step, kSmallestStep)));
}

void StepQuantizer::check_step() const {
  const float step = step_.item();
  if (!std::isfinite(step) || step <= 0.0f)
    throw DivergedError(concat(spec().name, ": the step must be finite and positive, found ", step,
                               "; lower the learning rate, or keep a floor under steps in the optimizer"));
}

// LSQ's g = 1 / sqrt(N Q_P). The paper counts the features of one sample; public code counts the batch too.
float StepQuantizer::grad_scale(const Tensor& x) const {
  const bool per_sample = !spec().is_weight && !spec().count_batch;
  const int64_t count = per_sample ? x.shape().numel_from(1) : x.numel();
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(count) * static_cast<double>(range().high)));
}

}  // namespace ntq
