// LCQ: "Learnable Companding Quantization for Accurate Low-bit Neural Networks", Yamamoto, CVPR 2021 (arXiv
// 2103.07156): |x| / alpha goes through a learned piecewise linear function f on [0, 1], is rounded, and goes back
// through its inverse. Slopes gamma = K softmax(theta) over K intervals. Limited weight normalisation before, the
// deviation again behind. Formulas as DensoITLab/nuLSQ (src/quantizer/nonuniform/lcq.py) has them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/look_up.h"
#include "engine/ops/reduce.h"
#include "quant/first_input.h"
#include "quant/weight_norm.h"

namespace ntq {
namespace {

/// S, on each side.
int steps_of(const QuantSpec& spec) { return (1 << (spec.is_signed ? spec.bits - 1 : spec.bits)) - 1; }

class LcqQuantizer : public FirstInputQuantizer {
 public:
  explicit LcqQuantizer(const QuantSpec& spec)
      : FirstInputQuantizer(spec),
        alpha_(register_parameter("alpha", Tensor::zeros({1}), {.floor = 1e-6f, .most_change = kMostScaleChange})),
        curve_{.steps = steps_of(spec),
               .both_signs = spec.is_signed,
               .unit_slopes = spec.setting("gradient").word() == "unit",
               .byte_levels = spec.setting("requantize").flag()} {
    // With one step there is nothing to compand.
    if (curve_.steps > 1) {
      curve_.pieces = static_cast<int64_t>(spec.setting("intervals").number());
      theta_ = register_parameter("theta", Tensor::zeros({curve_.pieces}));
    }
    if (spec.is_weight && spec.setting("normalise").flag()) {
      norm_.emplace(spec.setting("detach_norm").flag());
      deviation_ = register_buffer("deviation", Tensor::full({1}, 1.0f));
    }
    zero_until_ready(alpha_);
  }

  QuantRange range() const override {
    const auto most = static_cast<float>(curve_.steps);
    return {spec().is_signed ? -most : 0.0f, most};
  }
  CodeGrid grid() const override {
    const NoGrad no_grad;
    const Tensor table = levels();
    return {.range = range(), .levels = deviation_ ? mul(table, deviation_) : table};
  }
  QuantTraits traits() const override {
    return {.levels = static_cast<int>(range().high - range().low) + 1, .idempotent = false};
  }
  std::string left_out(const TrainingPlan&) const override {
    if (!theta_) return "levels of one step on each side leave nothing to compand";
    return curve_.pieces > 1 ? "" : "a function of one interval is straight, so nothing is companded";
  }
  /// Of a weight: less its mean.
  Tensor transform(const Tensor& x) const override { return norm_ ? norm_->centered(x) : x; }

 private:
  // As nuLSQ: S times LSQ's first step.
  void set_first_values(const InputStatistics& seen) override {
    double first = 2 * seen.mean_abs() * std::sqrt(static_cast<double>(curve_.steps));
    if (spec().setting("alpha_init").word() == "fixed") first = spec().is_weight ? 3 : 8;
    alpha_.fill(static_cast<float>(std::max(first, 1e-6)));
  }

  /// From the lowest code to the highest: the value of any entry that has it. Nothing is read back.
  Tensor levels() const {
    const Companding now = companding(theta_, alpha_, curve_);
    const auto count = static_cast<int64_t>(range().high - range().low) + 1;
    const Tensor codes = Tensor::empty({count, 1});
    for (int64_t i = 0; i < count; ++i) codes.f32()[i] = range().low + static_cast<float>(i);
    const Shape all{count, now.codes.numel()};
    const Tensor zeros = Tensor::zeros(all, DType::f32, alpha_.device());
    const Tensor own = equal(add(zeros, now.codes), codes.to(alpha_.device()));
    const Tensor none = Tensor::full(all, std::numeric_limits<float>::lowest(), alpha_.device());
    return max(where(own, add(zeros, now.values), none), Axis{1}).view({count});
  }

  Tensor quantized(const Tensor& x) override {
    if (!norm_) return companded(x);
    const Tensor deviation = norm_->deviation(x);
    deviation_.copy_from(deviation.detach());
    return mul(companded(div(x, deviation)), deviation);
  }
  Tensor codes(const Tensor& x) const override {
    const NoGrad no_grad;
    Tensor in = x;
    if (norm_) {
      deviation_.copy_from(norm_->deviation(x));
      in = div(x, deviation_);
    }
    const Companding now = companding(theta_, alpha_, curve_);
    return look_up_codes(in, now.thresholds, now.codes, range());
  }

  // Straight through the rounding alone.
  Tensor companded(const Tensor& x) {
    prepare(x);
    const Companding now = companding(theta_, alpha_, curve_);
    std::vector<Tensor> inputs{x, alpha_};
    if (theta_) inputs.push_back(theta_);
    const auto copy = [](const Tensor& t) { return t ? t.clone().detach() : Tensor(); };
    return custom_grad(
        {"lcq"}, inputs, [&] { return look_up(x, now.thresholds, now.values); },
        [x = x.detach(), now, theta = copy(theta_), alpha = copy(alpha_), curve = curve_](const Tensor& dy) {
          const auto [dx, sums] = look_up_grad(x, now.thresholds, now.slopes, dy);
          const auto [dalpha, dtheta] = companding_grad(theta, alpha, sums, curve);
          std::vector<Tensor> out{dx, dalpha};
          if (dtheta) out.push_back(dtheta);
          return out;
        });
  }

  Tensor alpha_, theta_;
  CompandingArgs curve_;
  std::optional<WeightNorm> norm_;
  mutable Tensor deviation_;  // of the weights last seen, which the levels are in units of
};

}  // namespace

QuantMethod lcq_method() {
  const auto one_step = [](const QuantSpec& spec) { return steps_of(spec) > 1 ? "" : "on levels of one step"; };
  return {.name = "lcq",
          .help =
              "learned companding: levels as a learned piecewise linear function sets them (Yamamoto 2021, arXiv "
              "2103.07156); signed inputs, which the paper does not define, symmetric as weights",
          .settings = {{.name = "intervals",
                        .standard = 16,
                        .within = {.low = 1, .high = 256},
                        .whole = true,
                        .help = "pieces K of the function (16 in nuLSQ)",
                        .idle = one_step},
                       {.name = "gradient",
                        .standard = "exact",
                        .words = {"exact", "unit"},
                        .help = "of x and alpha: straight through the rounding alone, or as if both slopes were equal "
                                "(nuLSQ's code)",
                        .idle = one_step},
                       {.name = "alpha_init",
                        .standard = "lsq",
                        .words = {"lsq", "fixed"},
                        .help = "first alpha: S times LSQ's step (nuLSQ), or 3 for weights and 8 for inputs (APoT)"},
                       {.name = "requantize",
                        .standard = false,
                        .help = "levels rounded to 8 bits, for a small table",
                        .idle = one_step},
                       {.name = "normalise",
                        .standard = true,
                        .side = Side::weights,
                        .help = "limited weight normalisation; false: the weights as they are"},
                       {.name = "detach_norm",
                        .standard = false,
                        .side = Side::weights,
                        .help = "no gradient through mean and deviation (APoT's CIFAR code); false: nuLSQ",
                        .idle = idle_with("normalise", false)}},
          .make = [](const QuantSpec& spec) { return std::make_shared<LcqQuantizer>(spec); }};
}

}  // namespace ntq
