// Quant-Noise: "Training with Quantization Noise for Extreme Model Compression", Fan et al., ICLR 2021 (arXiv
// 2004.07320), scalar form as in fairseq: in training each value is quantized with probability p, else left as it is.
#include "quant/methods/quant_noise.h"

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/look_up.h"
#include "engine/ops/quantize.h"
#include "engine/ops/random.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"
#include "quant/method.h"
#include "quant/oscillation.h"

namespace ntq {

Tensor quant_noised(const Tensor& x, const Tensor& quantized, const Tensor& mask) {
  return custom_grad(
      {"quant_noise"}, {x}, [&] { return where(mask, quantized, x); },
      [](const Tensor& dy) { return std::vector{dy}; });
}

namespace {

// The least step: of an all-zero tensor (torch's observers: eps of float32).
constexpr float kLeastStep = 1.1920929e-7f;

/// Buffers: step {1} and offset {1} = -z step, z the code of 0; per channel step {C} alone, signed and symmetric. 0:
/// not set. Value = step * code + offset.
class MinMaxNoise : public Quantizer {
 public:
  explicit MinMaxNoise(const QuantSpec& spec)
      : Quantizer(spec),
        step_(register_buffer("step", Tensor::zeros({spec.per_channel ? spec.shape[0] : 1}))),
        share_(spec.setting("p").f32()),
        every_(static_cast<int64_t>(spec.setting("update_step").number())),
        stream_(draw_stream("mask")) {
    if (!spec.per_channel) offset_ = register_buffer("offset", Tensor::zeros({1}));
  }

  QuantRange range() const override {
    const auto levels = static_cast<float>(1 << spec().bits);
    if (spec().per_channel) return {-levels / 2, levels / 2 - 1};
    return {0, levels - 1};
  }
  CodeGrid grid() const override { return {.range = range(), .step = step_, .offset = offset_}; }
  bool ready() const override {
    if (ready_) return true;
    for (const float step : step_.to_vector()) {
      if (step == 0) return false;
    }
    return ready_ = true;
  }
  std::string left_out(const TrainingPlan&) const override {
    if (share_ == 0) return "with p 0 nothing is quantized in training";
    return share_ < 1 ? "" : "with p 1 all is quantized in training, so there is no noise";
  }
  int calibration_passes() const override { return 1; }
  void start_pass(int) override {
    gathering_ = true;
    low_ = high_ = {};
  }
  void end_pass(int) override {
    gathering_ = false;
    low_ = high_ = {};
  }
  // Activations are carried within a limit (fairseq, quantization/scalar/modules/qact.py).
  Tensor transform(const Tensor& x) const override {
    const float limit = spec().is_weight ? 0 : spec().setting("limit").f32();
    return limit > 0 ? clamp(x, -limit, limit) : x;
  }

 private:
  Tensor quantized(const Tensor& input) override {
    const bool due = training() && training_step() % every_ == 0;
    if (gathering_ || due || !ready()) observe(input.detach());
    const Tensor x = steadied(input);
    const auto values = [&] {
      const NoGrad no_grad;
      return on_grid(x.detach());
    };
    const auto pass = [](const Tensor& dy) { return std::vector{dy}; };
    if (!training()) return custom_grad({"min_max_quantize"}, {x}, values, pass);
    return quant_noised(x, values(), less_equal(uniform(x.shape(), draw_key(stream_), x.device()), share_));
  }

  Tensor codes(const Tensor& x) const override {
    return spec().per_channel ? quantize_codes(x, step_, range()) : look_up_places(x.detach(), thresholds(), range());
  }
  Tensor on_grid(const Tensor& x) const {
    if (spec().per_channel) return quantize(x, step_, {.range = range()});
    return look_up(x, thresholds(), add(mul(counted(0, 1 << spec().bits), step_), offset_));
  }
  /// first, first + 1, ...: n of them.
  Tensor counted(float first, int64_t n) const {
    const Tensor out = Tensor::empty({n});
    for (int64_t i = 0; i < n; ++i) out.f32()[i] = first + static_cast<float>(i);
    return out.to(step_.device());
  }
  // Of round(w / s + z): z is whole, -offset / step only nearly so.
  Tensor thresholds() const {
    const NoGrad no_grad;
    const Tensor zero = round(neg(div(offset_, step_)));
    return mul(sub(counted(0.5f, (1 << spec().bits) - 1), zero), step_);
  }

  /// Smallest and largest value of x, or of all inputs of a calibration pass.
  void observe(const Tensor& x) {
    const NoGrad no_grad;
    if (!ready() && !all_finite(x))
      throw DivergedError(concat(spec().name, ": the first input, ", x.shape(),
                                 ", is not finite, so no range can be taken from it; check the data and the learning "
                                 "rate"));
    if (spec().per_channel) {
      const Tensor rows = reshape(x, {step_.numel(), x.numel() / step_.numel()});
      step_.copy_from(max(div(reshape(max(abs(rows), Axis{1}), step_.shape()), range().high + 0.5f), kLeastStep));
    } else {
      Tensor low = min(min(x), 0.0f), high = max(max(x), 0.0f);
      if (low_) low = min(low, low_), high = max(high, high_);
      if (gathering_) low_ = low, high_ = high;
      step_.copy_from(max(div(sub(high, low), range().high), kLeastStep));
      offset_.copy_from(mul(round(div(low, step_)), step_));
    }
    ready_ = true;
  }

  void state_loaded() override {
    Quantizer::state_loaded();
    ready_ = false;
  }

  Tensor step_, offset_;
  float share_;
  int64_t every_;
  uint32_t stream_;
  mutable bool ready_ = false;
  bool gathering_ = false;
  Tensor low_, high_;  // of a calibration pass
};

}  // namespace

QuantMethod quant_noise_method() {
  return {.name = "quant-noise",
          .help =
              "in training a random share of the values is quantized between minimum and maximum (Fan et al. 2021, "
              "arXiv 2004.07320); affine, so a signed input needs nothing; layer inputs, where the source "
              "quantizes outputs",
          .settings = with_oscillation_settings(
              {{.name = "p",
                .standard = 0.5,
                .within = {.low = 0, .high = 1},
                .help = "share that is quantized in training (fairseq's README 0.5, its wrapper 0.2); 1 in "
                        "evaluation"},
               {.name = "update_step",
                .standard = 1000,
                .within = {.low = 1, .high = 1e9},
                .whole = true,
                .help = "optimizer steps between two looks at the range (fairseq, scalar/modules)"},
               {.name = "limit",
                .standard = 5.0,
                .within = {.low = 0, .high = 1e6},
                .side = Side::inputs,
                .help = "inputs are cut off at plus and minus this (fairseq, qact.py); 0: nowhere"}}),
          .scope = {.per_channel = true},
          .make = [](const QuantSpec& spec) { return std::make_shared<MinMaxNoise>(spec); }};
}

}  // namespace ntq
