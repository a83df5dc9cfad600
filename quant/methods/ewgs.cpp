// EWGS: "Network Quantization with Element-wise Gradient Scaling", Lee et al., CVPR 2021 (arXiv 2104.00903): learned
// ranges [l, u], and a gradient through the rounding that grows for elements that it pulls away from their level:
// dx_n = dx_q (1 + delta sign(dx_q) (x_n - x_q)), x_n in [0, 1] before, x_q after rounding. First values and
// the scale of the output as in the authors' code.
#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/look_up.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/first_input.h"
#include "quant/oscillation.h"

namespace ntq {
namespace {

class EwgsQuantizer : public FirstInputQuantizer {
 public:
  explicit EwgsQuantizer(const QuantSpec& spec)
      : FirstInputQuantizer(spec),
        lower_(register_parameter("lower", Tensor::zeros({1}), traits_of(spec))),
        upper_(register_parameter("upper", Tensor::zeros({1}), traits_of(spec))),
        delta_(spec.setting("delta").f32()),
        steps_(static_cast<float>((1 << spec.bits) - 1)) {
    // One scale is learned for a layer's output: with its weights.
    const Tensor scale = Tensor::zeros({1});
    scale_ = spec.is_weight ? register_parameter("scale", scale, traits_of(spec)) : register_buffer("scale", scale);
    zero_until_ready(scale_);
  }

  CodeGrid grid() const override {
    const NoGrad no_grad;
    return {.range = range(), .levels = mul(units(places()), scale())};
  }
  std::string left_out(const TrainingPlan&) const override {
    return delta_ > 0 ? "" : "with delta 0 gradients pass straight through";
  }
  QuantTraits traits() const override {
    return {.levels = 1 << spec().bits, .zero_on_grid = false, .idempotent = false};
  }

 private:
  static ParamTraits traits_of(const QuantSpec& spec) {
    return {.decay = false, .lr_scale = spec.setting("range_lr").f32()};
  }
  // Three deviations; behind a ReLU those of the normal distribution that a half is left of.
  void set_first_values(const InputStatistics& seen) override {
    const double half = spec().is_signed ? 1 : std::sqrt(1 - 2 / std::acos(-1.0));
    const double end = std::max(3 * seen.deviation() / half, 1e-6);
    const double begin = spec().is_signed ? -end : std::min(seen.least, end / 2);
    lower_.fill(static_cast<float>(begin));
    upper_.fill(static_cast<float>(end));
    // The mean of |values| at [0, 1] or [-1, 1] is about that of |x| over the end.
    scale_.fill(static_cast<float>(end - (spec().is_signed ? 0 : begin)));
  }

  Tensor width() const { return add(relu(sub(sub(upper_, lower_), 1e-6f)), 1e-6f); }
  /// The rounded x_n: 0 at the lower end of the range, 1 at the upper one.
  Tensor places() const {
    const Tensor all = Tensor::empty({static_cast<int64_t>(steps_) + 1});
    for (int64_t i = 0; i < all.numel(); ++i) all.f32()[i] = static_cast<float>(i) / steps_;
    return all.to(scale_.device());
  }
  Tensor thresholds() const {
    const NoGrad no_grad;
    const Tensor middles = places().rows(0, static_cast<int64_t>(steps_));
    return add(mul(add(middles, 0.5f / steps_), width()), lower_);
  }
  /// Of places: in [-1, 1] where signed, else [0, 1].
  Tensor units(const Tensor& place) const { return spec().is_signed ? mul(sub(place, 0.5f), 2.0f) : place; }
  Tensor scale() const { return spec().is_weight ? abs(scale_) : scale_; }

  /// In weights codes lie evenly from the lower end of the range to the upper one.
  CodeGrid even_grid() const override {
    const NoGrad no_grad;
    const Tensor step = div(width(), steps_);
    return {.range = range(), .step = step, .offset = sub(lower_, mul(step, range().low))};
  }

  Tensor quantized(const Tensor& input) override {
    prepare(input);
    const Tensor x = steadied(input);
    const Tensor lower = lower_.clone().detach(), width = this->width(), scale = this->scale(), middles = thresholds();
    return custom_grad(
        {"ewgs"}, {x, lower_, width, scale}, [&] { return look_up(x, middles, mul(units(places()), scale)); },
        [this, x = x.detach(), lower, w = width.detach(), scale = scale.clone().detach(), middles](const Tensor& dy) {
          Tensor pulled = dy;
          if (delta_ > 0) {
            const Tensor rounded = look_up(x, middles, mul(add(div(lower, w), places()), delta_));
            const Tensor error = sub(mul(x, div(Tensor::full({1}, delta_, x.device()), w)), rounded);
            pulled = add(dy, mul(abs(dy), error));
          }
          const Tensor slope = div(spec().is_signed ? mul(scale, 2.0f) : scale, w);
          const LinearGrad g = linear_grad(x, {lower, add(lower, w), slope}, pulled);
          std::vector<Tensor> out{g.dx, neg(g.sum), neg(div(sub(g.sum_x, mul(lower, g.sum)), w)), {}};
          if (spec().is_weight) out.back() = sum(mul(dy, look_up(x, middles, units(places()))));
          return out;
        });
  }
  Tensor codes(const Tensor& x) const override { return look_up_places(x, thresholds(), range()); }

  Tensor lower_, upper_, scale_;
  float delta_, steps_;
};

}  // namespace

QuantMethod ewgs_method() {
  return {.name = "ewgs",
          .help =
              "element-wise gradient scaling with learned ranges (Lee et al. 2021, arXiv 2104.00903); signed inputs, "
              "which the authors leave in full precision, as weights; no level is 0 there",
          .settings = with_oscillation_settings(
              {{.name = "delta",
                .standard = 1e-3,
                .within = {.low = 0, .high = 1e3},
                .help = "fixed scaling factor (the paper's other way to set it, from the Hessian's trace, is not "
                        "there); 0: straight through"},
               {.name = "range_lr",
                .standard = 0.01,
                .within = {.low = 0, .high = 1},
                .help = "factor on the learning rate of ranges and scale (the authors' 1e-5 beside 1e-3)"}}),
          .make = [](const QuantSpec& spec) { return std::make_shared<EwgsQuantizer>(spec); }};
}

}  // namespace ntq
