#include "quant/step_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/least_error.h"

namespace ntq {

// A step of zero or less has no grid: the first one of an all-zero tensor, and what updates leave.
constexpr float kStepFloor = 1e-8f;
constexpr float kNoBorder = -std::numeric_limits<float>::infinity();

namespace {

int64_t step_count(const QuantSpec& spec) { return spec.per_channel ? spec.shape[0] : 1; }

bool keeps_size(const QuantSpec& spec) { return spec.setting("step_sign").word() == "abs"; }

bool changes_freely(const QuantSpec& spec) { return spec.setting("step_change").word() == "free"; }

/// Bounds just past the integers: the same values and codes, but x / step equal to a border counts as inside.
QuantRange with_borders(QuantRange range) {
  constexpr float kFar = std::numeric_limits<float>::infinity(), kTiny = std::numeric_limits<float>::min();
  return {range.low == 0 ? -kTiny : std::nextafter(range.low, -kFar), std::nextafter(range.high, kFar)};
}

}  // namespace

std::vector<Setting> step_settings() {
  std::vector<Setting> out = {
      {.name = "step_init",
       .standard = "lsq",
       .words = {"lsq", "mse"},
       .help = "first steps: 2 mean|x| / sqrt(Q_P) (LSQ), or least squared error (LSQ+)"},
      {.name = "input_n",
       .standard = "features",
       .words = {"features", "numel", "channels"},
       .side = Side::inputs,
       .help = "N of the step's gradient scale 1 / sqrt(N Q_P): features of one sample (LSQ), with the batch "
               "(MQBench, lsq-net), channels (nuLSQ)"},
      {.name = "weight_n",
       .standard = "step",
       .words = {"step", "numel"},
       .side = Side::weights,
       .help = "the same N: weights that share a step (MQBench), or all of the layer (lsq-net); one step: the same",
       .idle = [](const QuantSpec& spec) { return spec.per_channel ? "" : "without steps per channel"; }},
      {.name = "border",
       .standard = "outside",
       .words = {"outside", "inside"},
       .help = "gradients where x / step is the lowest or highest code: as clipped (LSQ, NTQ Eq. 9), or as inside "
               "(lsq-net, MQBench)"},
      {.name = "step_sign",
       .standard = "floor",
       .words = {"floor", "abs"},
       .help = "a step that an update leaves below 0: becomes 1e-8, or its size |s| (MQBench)"},
      {.name = "step_change",
       .standard = "held",
       .words = {"held", "free"},
       .help =
           "an update that takes a step beyond twice or half of itself: is held there, and its momentum with it; or "
           "free, as published (and with step_sign = abs)",
       .idle = idle_with("step_sign", "abs")},
      {.name = "step_decay", .standard = false, .help = "weight decay on the steps too (diffq's LSQ, lsq-net)"}};
  return with_oscillation_settings(std::move(out));
}

StepQuantizer::StepQuantizer(const QuantSpec& spec)
    : Quantizer(spec),
      step_(register_parameter(
          "step", Tensor::zeros({step_count(spec)}),
          {.decay = spec.setting("step_decay").flag(),
           .floor = keeps_size(spec) ? kNoBorder : kStepFloor,
           .most_change = keeps_size(spec) || changes_freely(spec) ? -kNoBorder : kMostScaleChange})),
      borders_inside_(spec.setting("border").word() == "inside") {}

bool StepQuantizer::ready() const {
  if (ready_) return true;
  for (const float step : step_.to_vector()) {
    if (step == 0.0f) return false;
  }
  return ready_ = true;
}

void StepQuantizer::state_loaded() {
  Quantizer::state_loaded();
  ready_ = false;
}

Tensor StepQuantizer::quantized(const Tensor& x) {
  if (calibrating_ || !ready()) init_step(x);
  return quantize(steadied(x), step_, args_of(x));
}

std::optional<PlainSteps> StepQuantizer::own_steps(const Tensor& x) const {
  if (calibrating_ || steadies()) return std::nullopt;
  return PlainSteps{step_, args_of(x)};
}

void StepQuantizer::after_step() {
  if (!keeps_size(spec())) return;
  const NoGrad no_grad;
  step_.copy_from(clamp(abs(step_), kStepFloor, std::numeric_limits<float>::max()));
}

void StepQuantizer::start_pass(int) {
  calibrating_ = true;
  sums_.clear();
  count_ = 0;
}

void StepQuantizer::end_pass(int) { calibrating_ = false; }

// Where a channel has its own step, each is a tensor of its own here.
void StepQuantizer::init_step(const Tensor& x) {
  const int64_t steps = step_.numel();
  if (!calibrating_ || sums_.empty()) sums_.assign(static_cast<size_t>(steps), 0.0), count_ = 0;
  const double n = static_cast<double>(x.numel()) / static_cast<double>(steps);
  std::vector<float> values;
  for (int64_t i = 0; i < steps; ++i) {
    const Tensor part = steps == 1 ? x.detach() : x.detach().rows(i, i + 1);
    const auto size = sum_abs(part).item<double>();
    if (!std::isfinite(size)) first_input_not_finite(x);
    double& sum = sums_[static_cast<size_t>(i)];
    sum += first_step_sum(part, size);
    values.push_back(static_cast<float>(std::max(sum / (count_ + n), double{kStepFloor})));
  }
  count_ += n;
  step_.copy_from(Tensor::from(step_.shape(), std::span<const float>(values), step_.device()));
  ready_ = true;
}

double StepQuantizer::first_step_sum(const Tensor& x, double size) const {
  const double to_step = 2.0 / std::sqrt(static_cast<double>(range().high)), n = static_cast<double>(x.numel());
  const bool least_error = spec().setting("step_init").word() == "mse" && size > 0;
  return least_error ? n * least_error_step(x, range(), to_step * size / n) : size * to_step;
}

int64_t input_count(const QuantSpec& spec, const Tensor& x) {
  const std::string& what = spec.setting("input_n").word();
  if (what == "numel") return x.numel();
  return what == "channels" ? x.size(x.shape().rank() - 1) : x.shape().numel_from(1);
}

// With LSQ's g = 1 / sqrt(N Q_P).
QuantizeArgs StepQuantizer::args_of(const Tensor& x) const {
  int64_t count = 0;
  if (spec().is_weight) {
    count = spec().setting("weight_n").word() == "numel" ? x.numel() : x.numel() / step_.numel();
  } else {
    count = input_count(spec(), x);
  }
  const double g = 1.0 / std::sqrt(static_cast<double>(count) * static_cast<double>(range().high));
  return {.range = borders_inside_ ? with_borders(range()) : range(), .grad_scale = static_cast<float>(g)};
}

}  // namespace ntq
