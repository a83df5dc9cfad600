// PACT: "PACT: Parameterized Clipping Activation for Quantized Neural Networks", Choi et al. 2018 (arXiv 1805.06085).
// Weights are DoReFa's (section 5).
#include <algorithm>
#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/least_error.h"
#include "quant/methods/dorefa.h"
#include "quant/range_quantizer.h"

namespace ntq {
namespace {

constexpr float kLeastAlpha = 1e-6f;

/// Parameter alpha {1}; 0 until the first inputs set it, where alpha_from says so.
class PactQuantizer : public Quantizer {
 public:
  explicit PactQuantizer(const QuantSpec& spec)
      : Quantizer(spec),
        l2_(spec.setting("alpha_l2").f32()),
        inner_grad_(spec.setting("alpha_grad").word() == "lsq"),
        constant_(spec.setting("alpha_from").word() == "constant") {
    const float first = constant_ ? spec.setting("alpha_init").f32() : 0.0f;
    alpha_ = register_parameter(
        "alpha", Tensor::full({1}, first),
        {.decay = spec.setting("alpha_decay").flag(), .floor = kLeastAlpha, .most_change = kMostScaleChange});
  }

  CodeGrid grid() const override {
    const NoGrad no_grad;
    return {.range = range(), .step = div(alpha_, range().high)};
  }
  bool ready() const override { return ready_ || (ready_ = alpha_.item() != 0.0f); }
  int calibration_passes() const override { return constant_ ? 0 : 1; }
  void start_pass(int) override {
    calibrating_ = true;
    sum_ = count_ = 0;
  }
  void end_pass(int) override { calibrating_ = false; }
  Tensor penalty() const override { return l2_ > 0 ? scale(square(alpha_), l2_ / 2) : Tensor(); }

 private:
  /// Eq. 1 and 2; gradients: Eq. 3, and "lsq" adds what the scale alpha / (2^b - 1) contributes inside.
  Tensor quantized(const Tensor& x) override {
    if (calibrating_ || !ready()) take_first(x);
    const Tensor step = grid().step;
    const auto values = [&] { return quantize(x, step, {.range = range()}); };
    const auto backward = [this, x = x.detach(), alpha = alpha_.clone().detach(), step](const Tensor& dy) {
      const Tensor above = less_equal(alpha, x), inside = mul(less_equal(0.0f, x), less(x, alpha));
      Tensor slope = above;
      if (inner_grad_) slope = add(above, mul(inside, div(sub(quantize(x, step, {.range = range()}), x), alpha)));
      return std::vector{mul(dy, inside), sum(mul(dy, slope))};
    };
    return custom_grad({"pact"}, {x, alpha_}, values, backward);
  }
  Tensor codes(const Tensor& x) const override { return quantize_codes(x, grid().step, range()); }
  void state_loaded() override {
    Quantizer::state_loaded();
    ready_ = false;
  }
  /// alpha of least squared error: the mean of the batches', by their sizes.
  void take_first(const Tensor& x) {
    const NoGrad no_grad;
    const auto size = sum_abs(x).item<double>(), n = static_cast<double>(x.numel()),
               high = static_cast<double>(range().high);
    if (!std::isfinite(size)) first_input_not_finite(x);
    if (!calibrating_) sum_ = count_ = 0;
    if (size > 0) sum_ += n * high * least_error_step(x.detach(), range(), 2 * size / n / std::sqrt(high));
    count_ += n;
    alpha_.fill(std::max(static_cast<float>(sum_ / count_), kLeastAlpha));
    ready_ = true;
  }

  float l2_;
  bool inner_grad_, constant_;
  Tensor alpha_;
  mutable bool ready_ = false;  // known to be set
  bool calibrating_ = false;
  double sum_ = 0, count_ = 0;
};

std::shared_ptr<Quantizer> make_pact(const QuantSpec& spec) {
  if (spec.is_weight) return make_dorefa_weights(spec);
  if (spec.is_signed) return std::make_shared<RangeQuantizer>(spec, RangeOptions{});
  return std::make_shared<PactQuantizer>(spec);
}

}  // namespace

QuantMethod pact_method() {
  std::vector<Setting> settings = {
      {.name = "alpha_init",
       .standard = 10.0,
       .within = {.low = 0, .high = 1e6, .open_low = true},
       .help = "first clipping value (Fig. 2)",
       .idle = idle_with("alpha_from", "mse")},
      {.name = "alpha_from",
       .standard = "constant",
       .words = {"constant", "mse"},
       .help = "alpha_init, or the least squared error on the first batches: for a short "
               "run from full precision"},
      {.name = "alpha_decay", .standard = true, .help = "the run's weight decay pulls at alpha (section 4.2)"},
      {.name = "alpha_l2",
       .standard = 0.0,
       .within = {.low = 0, .high = 1e6},
       .help = "L2 penalty of its own: half of this times alpha^2 in the loss"},
      {.name = "alpha_grad",
       .standard = "paper",
       .words = {"paper", "lsq"},
       .help = "Eq. 3, or with the rounding error's part inside, as LSQ"}};
  for (Setting& setting : settings) setting.side = Side::inputs;
  for (Setting& setting : dorefa_weight_settings()) settings.push_back(std::move(setting));
  return {.name = "pact",
          .help =
              "learned clipping of activations, DoReFa's weights (Choi et al. 2018, arXiv 1805.06085, Eq. 1-3); signed "
              "inputs, which its authors leave alone: fixed symmetric min-max",
          .settings = std::move(settings),
          .make = make_pact};
}

}  // namespace ntq
