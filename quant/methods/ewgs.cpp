// EWGS: "Network Quantization with Element-wise Gradient Scaling", Lee et al., CVPR 2021 (arXiv 2104.00903): learned
// ranges [l, u], and a gradient through the rounding that grows for elements that it pulls away from their level:
// dx_n = dx_q (1 + delta sign(dx_q) (x_n - x_q)), x_n in [0, 1] before, x_q after rounding. First values and
// the scale of the output as in the authors' code.
#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/unary.h"
#include "quant/first_input.h"

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
    const Tensor all = Tensor::empty({static_cast<int64_t>(steps_) + 1});
    for (int64_t i = 0; i < all.numel(); ++i) all.f32()[i] = static_cast<float>(i) / steps_;
    return {.range = range(), .levels = values(all.to(scale_.device()))};
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

  /// x in [0, 1]: 0 at the lower end of the range, 1 at the upper one.
  Tensor placed(const Tensor& x) const {
    const Tensor width = add(relu(sub(sub(upper_, lower_), 1e-6f)), 1e-6f);
    return clamp(div(sub(x, lower_), width), 0, 1);
  }
  /// Of rounded places: in [-1, 1] where signed, else [0, 1]; times the scale.
  Tensor values(const Tensor& place) const {
    const Tensor unit = spec().is_signed ? mul(sub(place, 0.5f), 2.0f) : place;
    return mul(unit, spec().is_weight ? abs(scale_) : scale_);
  }
  Tensor rounded(const Tensor& place) const {
    const Tensor nearest = div(round(mul(place.detach(), steps_)), steps_);
    return custom_grad(
        {"ewgs"}, {place}, [&] { return nearest; },
        [place = place.detach(), nearest, delta = delta_](const Tensor& dy) {
          const Tensor pull = mul(sign(dy), sub(place, nearest));
          return std::vector{mul(dy, add(mul(pull, delta), 1.0f))};
        });
  }
  Tensor quantized(const Tensor& x) override {
    prepare(x);
    return with_bad_values_of(x, values(rounded(placed(x))));
  }
  Tensor codes(const Tensor& x) const override {
    const NoGrad no_grad;
    const Tensor whole = round(mul(placed(x), steps_));
    return spec().is_signed ? cast_i8(add(whole, range().low)) : cast_u8(whole);
  }

  Tensor lower_, upper_, scale_;
  float delta_, steps_;
};

}  // namespace

QuantMethod ewgs_method() {
  return {
      .name = "ewgs",
      .help =
          "element-wise gradient scaling with learned ranges (Lee et al. 2021, arXiv 2104.00903); signed inputs, "
          "which the authors leave in full precision, as weights; no level is 0 there",
      .settings = {{.name = "delta",
                    .standard = 1e-3,
                    .within = {.low = 0, .high = 1e3},
                    .help = "fixed scaling factor (the paper's other way to set it, from the Hessian's trace, is not "
                            "there); 0: straight through"},
                   {.name = "range_lr",
                    .standard = 0.01,
                    .within = {.low = 0, .high = 1},
                    .help = "factor on the learning rate of ranges and scale (the authors' 1e-5 beside 1e-3)"}},
      .make = [](const QuantSpec& spec) { return std::make_shared<EwgsQuantizer>(spec); }};
}

}  // namespace ntq
