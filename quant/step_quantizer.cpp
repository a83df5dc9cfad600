#include "quant/step_quantizer.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"

namespace ntq {

// A step of zero or less has no grid: the first one of an all-zero tensor, and what updates leave.
constexpr float kStepFloor = 1e-8f;

namespace {

/// The step with the least squared error for `x`, to 2%: steps around `start` in fourths of an octave, then finer ones.
double least_error_step(const Tensor& x, QuantRange range, double start) {
  double best = start, least = HUGE_VAL;
  const auto look = [&](double center, double ratio, int steps) {
    std::vector<double> tried;
    for (int i = -steps; i <= steps; ++i) tried.push_back(center * std::pow(ratio, i));
    const std::vector<double> errors = quantize_errors(x, tried, range);
    for (size_t i = 0; i < tried.size(); ++i) {
      if (errors[i] < least) least = errors[i], best = tried[i];
    }
  };
  look(start, std::exp2(0.25), 20);
  look(best, std::exp2(1.0 / 16), 3);
  look(best, std::exp2(1.0 / 32), 1);
  return best;
}

}  // namespace

StepQuantizer::StepQuantizer(const QuantSpec& spec, NoiseLevel noise)
    : Quantizer(spec),
      noise_(noise),
      stream_(stream_id((noise.c > 0.0f ? drawing_name(spec.name, "quantizer", spec.seed) : spec.name) + ".noise")),
      step_(register_parameter("step", Tensor::zeros({1}), {.decay = false, .floor = kStepFloor})),
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
  if (!all_finite(x)) throw DivergedError(concat(spec().name, ": values that are not finite have no codes"));
  return quantize_codes(x, step_, range());
}

void StepQuantizer::calibrate(bool on) {
  calibrating_ = on;
  sum_ = count_ = 0;
}

void StepQuantizer::init_step(const Tensor& x) {
  if (!calibrating_) sum_ = count_ = 0;
  const auto n = static_cast<double>(x.numel());
  const auto size = sum_abs(x).item<double>();
  const double to_step = 2.0 / std::sqrt(static_cast<double>(range().high));
  if (!std::isfinite(size))
    throw DivergedError(
        concat(spec().name, ": the first input, ", x.shape(),
               ", is not finite, so no step can be taken from it; check the data and the learning rate"));
  const bool least_error = spec().step_init == StepInit::least_error && size > 0;
  sum_ += least_error ? n * least_error_step(x, range(), to_step * size / n) : size * to_step;
  count_ += n;
  step_.fill(static_cast<float>(std::max(sum_ / count_, double{kStepFloor})));
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
