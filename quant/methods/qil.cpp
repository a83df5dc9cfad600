// QIL: "Learning to Quantize Deep Networks by Optimizing Quantization Intervals with Task Loss", Jung et al., CVPR 2019
// (arXiv 1808.05779): |x| in the learned interval [c - d, c + d] goes to [0, 1], to the power of gamma for weights, and
// is rounded there; below it is 0, above it 1. Nothing scales the values back: batch norm takes what is left.
#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/look_up.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/first_input.h"

namespace ntq {
namespace {

constexpr float kLeast = 1e-6f;  // of d, gamma and what a power is taken of

class QilQuantizer : public FirstInputQuantizer {
 public:
  explicit QilQuantizer(const QuantSpec& spec)
      : FirstInputQuantizer(spec),
        center_(interval("center")),
        width_(interval("half_width")),
        step_(register_buffer("step", Tensor::zeros({1}))) {
    if (spec.is_weight && spec.setting("train_gamma").flag())
      gamma_ = register_parameter("gamma", Tensor::full({1}, 1.0f),
                                  {.decay = false, .floor = kLeast, .most_change = kMostScaleChange});
    zero_until_ready(step_);
  }

  QuantRange range() const override {
    const auto most = static_cast<float>((1 << (spec().is_signed ? spec().bits - 1 : spec().bits)) - 1);
    return {spec().is_signed ? -most : 0.0f, most};
  }
  CodeGrid grid() const override { return {.range = range(), .step = step_}; }
  QuantTraits traits() const override {
    return {
        .levels = static_cast<int>(range().high - range().low) + 1, .idempotent = false, .symmetric = spec().is_signed};
  }
  /// Interval and power know nothing of the width; the values keep their scale.
  bool take_over(const Quantizer& other) override {
    const auto* const from = dynamic_cast<const QilQuantizer*>(&other);
    if (from == nullptr || from->spec().is_signed != spec().is_signed || !from->ready()) return false;
    center_.copy_from(from->center_), width_.copy_from(from->width_);
    if (gamma_ && from->gamma_) gamma_.copy_from(from->gamma_);
    step_.copy_from(scale(from->step_, from->range().high / range().high));
    return true;
  }
  std::string left_out(const TrainingPlan& plan) const override {
    if (!plan.after_wider) return "its widths come one after the other (--bits-before 8,5)";
    const bool learns = spec().setting("interval_lr").number() > 0 || (spec().is_weight && gamma_);
    return learns ? "" : "with interval_lr 0 and train_gamma false no interval is learned";
  }

 private:
  Tensor interval(const char* name) {
    const ParamTraits traits{.decay = false,
                             .lr_scale = spec().setting("interval_lr").f32(),
                             .floor = kLeast,
                             .most_change = kMostScaleChange};
    return register_parameter(name, Tensor::full({1}, 0.5f), traits);
  }
  void set_first_values(const InputStatistics& seen) override {
    const std::string& from = spec().setting("interval_init").word();
    float end = 1;  // of the interval [0, end]
    if (from == "max") end = static_cast<float>(seen.largest());
    if (from == "3sigma") end = static_cast<float>(3 * seen.deviation());
    end = std::max(end, 2 * kLeast);
    center_.fill(end / 2);
    width_.fill(end / 2);
    step_.fill((spec().setting("rescale").flag() ? end : 1.0f) / range().high);
  }

  /// The interval begins at 0 or above.
  Tensor center() const { return add(center_, relu(sub(width_, center_))); }

  // Behind a ReLU: no sign and no power, so steps between the interval's ends, and one slope for the gradient.
  Tensor thresholds() const {
    const NoGrad no_grad;
    const auto steps = static_cast<int64_t>(range().high);
    const Tensor middles = Tensor::empty({steps});  // in units of half a width from the center
    for (int64_t k = 0; k < steps; ++k)
      middles.f32()[k] = static_cast<float>(2 * k + 1) / static_cast<float>(steps) - 1;
    return add(mul(middles.to(width_.device()), width_), center());
  }
  Tensor stepped(const Tensor& x) const {
    const Tensor center = this->center(), width = width_;
    const auto values = [&] {
      const Tensor codes = Tensor::empty({static_cast<int64_t>(range().high) + 1});
      for (int64_t k = 0; k < codes.numel(); ++k) codes.f32()[k] = static_cast<float>(k);
      return look_up(x, thresholds(), mul(codes.to(step_.device()), step_));
    };
    const Tensor slope = div(mul(step_, range().high / 2), width.detach());
    return custom_grad({"qil"}, {x, center, width}, values,
                       [x = x.detach(), c = center.detach(), d = width.clone().detach(), slope](const Tensor& dy) {
                         const LinearGrad g = linear_grad(x, {sub(c, d), add(c, d), slope}, dy);
                         return std::vector{g.dx, neg(g.sum), neg(div(sub(g.sum_x, mul(c, g.sum)), d))};
                       });
  }

  /// With a sign: q times the transformed x, with its gradients.
  Tensor scaled(const Tensor& x) const {
    const Tensor place = add(div(mul(sub(abs(x), center()), 0.5f), width_), 0.5f);
    const Tensor u = gamma_ ? power(place) : clamp(place, 0, 1);
    return mul(mul(sign(x), u), range().high);
  }
  /// u^gamma for u = place within [0, 1]. Its slope gamma u^(gamma - 1) has no bound at 0 for gamma < 1: values that
  /// round to 0 would be thrown far out of the interval, and take it with them. There it is that of the first value
  /// that does not, whose power is 1 / (2 q).
  Tensor power(const Tensor& place) const {
    const auto values = [&] { return power_of(place, gamma_); };
    const auto backward = [p = place.detach(), gamma = gamma_.clone().detach(), q = range().high](const Tensor& dy) {
      const Tensor log_u = log(clamp(p, kLeast, 1)), inside = mul(less(0.0f, p), less(p, 1.0f));
      const Tensor slope = mul(gamma, exp(mul(sub(gamma, 1.0f), log_u)));
      const Tensor first = mul(gamma, exp(mul(div(sub(gamma, 1.0f), gamma), std::log(0.5f / q))));
      const Tensor most = max(first, gamma);
      return std::vector{mul(dy, mul(inside, min(slope, most))), sum(mul(dy, mul(power_of(p, gamma), log_u)))};
    };
    return custom_grad({"qil_power"}, {place, gamma_}, values, backward);
  }
  static Tensor power_of(const Tensor& place, const Tensor& gamma) {
    return mul(exp(mul(gamma, log(clamp(place, kLeast, 1)))), less(kLeast, place));
  }
  Tensor quantized(const Tensor& x) override {
    prepare(x);
    if (!spec().is_signed) return stepped(x);
    return with_bad_values_of(x, mul(round_straight_through(scaled(x)), step_));
  }
  Tensor codes(const Tensor& x) const override {
    const NoGrad no_grad;
    if (!spec().is_signed) return look_up_places(x, thresholds(), range());
    return cast_i8(round(scaled(x)));
  }

  Tensor center_, width_, step_, gamma_;
};

}  // namespace

QuantMethod qil_method() {
  return {.name = "qil",
          .help =
              "learned intervals (Jung et al. 2019, arXiv 1808.05779), best one width after the other "
              "(--bits-before 8,5); signed inputs, which the paper does not define, as weights without gamma",
          .settings = {{.name = "train_gamma",
                        .standard = true,
                        .side = Side::weights,
                        .help = "the power gamma is learned (the method); false: stays 1 (most public code)"},
                       {.name = "interval_init",
                        .standard = "max",
                        .words = {"max", "3sigma", "unit"},
                        .help = "first interval: [0, max|x|], [0, 3 deviations], or [0, 1] (public code)"},
                       {.name = "interval_lr",
                        .standard = 0.01,
                        .within = {.low = 0, .high = 1},
                        .help = "factor on the learning rate of the intervals"},
                       {.name = "rescale",
                        .standard = false,
                        .help = "times the end of the first interval; false: values in [-1, 1] (the paper)"}},
          .make = [](const QuantSpec& spec) { return std::make_shared<QilQuantizer>(spec); }};
}

}  // namespace ntq
