// LSQ+: "LSQ+: Improving low-bit quantization through learnable offsets and better initialization", Bhalgat et al. 2020
// (arXiv 2004.09576). Weights: LSQ with other first steps.
#include <algorithm>
#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/step_quantizer.h"

namespace ntq {
namespace {

constexpr float kLeastStep = 1e-8f;

class LsqPlusWeights : public StepQuantizer {
 public:
  using StepQuantizer::StepQuantizer;
  std::string left_out(const TrainingPlan&) const override {
    return "its offset is of activations, which it does not quantize here";
  }

 private:
  /// max|mean +- 3 sigma| / 2^(b-1), sigma with n - 1.
  double first_step_sum(const Tensor& x, double size) const override {
    if (spec().setting("step_init").word() != "sigma") return StepQuantizer::first_step_sum(x, size);
    const std::vector<float> w = x.to_vector();
    const auto n = static_cast<double>(w.size());
    double mean = 0, squares = 0;
    for (const float v : w) mean += static_cast<double>(v) / n;
    for (const float v : w) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
    const double sigma = n > 1 ? std::sqrt(squares / (n - 1)) : 0, high = static_cast<double>(range().high);
    const std::string& divisor = spec().setting("sigma_divisor").word();
    const double by = divisor == "half" ? high + 1 : divisor == "levels" ? 2 * high + 1 : high;
    return n * (std::abs(mean) + 3 * sigma) / by;
  }
};

/// step and offset of [low, high].
struct Affine {
  double step, offset;
};

/// Squared error of `x` on the grid.
double affine_error(const Tensor& x, const Affine& a, QuantRange range) {
  return quantize_errors(sub(x, static_cast<float>(a.offset)), {a.step}, range)[0];
}

/// Near the least squared error: the best of some parts of the whole range, then codes and their line through `x` in
/// turn.
Affine least_error_affine(const Tensor& x, const Affine& whole, QuantRange range) {
  Affine best = whole;
  double least = affine_error(x, whole, range);
  const auto better = [&](const Affine& a) {
    const double error = affine_error(x, a, range), before = least;
    if (error < least) least = error, best = a;
    return error < 0.9999 * before;
  };
  for (const float part : {.85f, .7f, .55f, .4f, .3f, .2f, .1f}) better({part * whole.step, part * whole.offset});
  const Tensor centered = sub(x, mean(x));
  for (int round = 0; round < 20; ++round) {
    const Tensor step = Tensor::full({1}, static_cast<float>(best.step), x.device());
    const Tensor u = quantize(sub(x, static_cast<float>(best.offset)), step, {.range = range});
    const Tensor from_mean = sub(u, mean(u));
    const double spread = static_cast<double>(sum(square(from_mean)).item()),
                 common = static_cast<double>(sum(mul(from_mean, centered)).item());
    if (!(spread > 0 && common > 0)) break;
    const double slope = common / spread;
    if (!better({slope * best.step, static_cast<double>(mean(x).item()) - slope * static_cast<double>(mean(u).item())}))
      break;
  }
  return best;
}

/// Parameters: step {1} (0: not set) and beta {1}. step * round(clamp((x - beta) / step, 0, 2^b - 1)) + beta.
class LsqPlusInputs : public Quantizer {
 public:
  explicit LsqPlusInputs(const QuantSpec& spec)
      : Quantizer(spec),
        step_(register_parameter("step", Tensor::zeros({1}),
                                 {.decay = false, .floor = kLeastStep, .most_change = kMostScaleChange})),
        beta_(register_parameter("beta", Tensor::zeros({1}), {.decay = false})) {}

  QuantRange range() const override { return {0, static_cast<float>((1 << spec().bits) - 1)}; }
  CodeGrid grid() const override { return {.range = range(), .step = step_.detach(), .offset = beta_.detach()}; }
  QuantTraits traits() const override { return {.levels = 1 << spec().bits, .zero_on_grid = false}; }
  bool ready() const override { return ready_ || (ready_ = step_.item() != 0.0f); }
  int calibration_passes() const override { return 1; }
  void start_pass(int) override {
    calibrating_ = true;
    count_ = 0;
  }
  void end_pass(int) override { calibrating_ = false; }

 private:
  Tensor quantized(const Tensor& x) override {
    if (calibrating_ || !ready()) take_first(x);
    const auto n = static_cast<double>(input_count(spec(), x));
    const auto g = static_cast<float>(1.0 / std::sqrt(n * static_cast<double>(range().high)));
    // beta with its gradient times g; that of the sum is 1 outside of the range, and 0 inside.
    const Tensor beta = custom_grad(
        {"scaled_gradient"}, {beta_}, [&] { return beta_.clone(); },
        [g](const Tensor& dy) { return std::vector{scale(dy, g)}; });
    return add(quantize(sub(x, beta), step_, {.range = range(), .grad_scale = g}), beta);
  }
  Tensor codes(const Tensor& x) const override { return quantize_codes(sub(x, beta_), step_, range()); }
  void state_loaded() override {
    Quantizer::state_loaded();
    ready_ = false;
  }
  /// The mean of the batches' first values, by their sizes.
  void take_first(const Tensor& input) {
    const NoGrad no_grad;
    const Tensor x = input.detach();
    if (!all_finite(x)) first_input_not_finite(x);
    const double low = static_cast<double>(min(x).item()), high = static_cast<double>(max(x).item()),
                 n = static_cast<double>(x.numel());
    Affine first{std::max((high - low) / static_cast<double>(range().high), static_cast<double>(kLeastStep)), low};
    if (high > low && spec().setting("act_init").word() == "mse") first = least_error_affine(x, first, range());
    if (!calibrating_) count_ = 0;
    count_ += n;
    const auto move = [&](Tensor& value, double to) {
      const double from = n < count_ ? static_cast<double>(value.item()) : to;
      value.fill(static_cast<float>(from + (to - from) * n / count_));
    };
    move(step_, first.step);
    move(beta_, first.offset);
    ready_ = true;
  }

  Tensor step_, beta_;
  mutable bool ready_ = false;  // known to be set
  bool calibrating_ = false;
  double count_ = 0;  // elements that calibration has seen
};

std::shared_ptr<Quantizer> make_lsq_plus(const QuantSpec& spec) {
  if (spec.is_weight) return std::make_shared<LsqPlusWeights>(spec);
  return std::make_shared<LsqPlusInputs>(spec);
}

}  // namespace

QuantMethod lsq_plus_method() {
  std::vector<Setting> settings = {
      {.name = "step_init",
       .standard = "sigma",
       .words = {"sigma", "lsq", "mse"},
       .side = Side::weights,
       .help = "first steps: max|mean +- 3 sigma| / divisor, LSQ's, or least squared error"},
      {.name = "sigma_divisor",
       .standard = "half",
       .words = {"half", "levels", "q_p"},
       .side = Side::weights,
       .help = "2^(b-1), 2^b - 1 or 2^(b-1) - 1; sources differ",
       .idle = idle_without("step_init", "sigma")},
      {.name = "act_init",
       .standard = "mse",
       .words = {"mse", "minmax"},
       .side = Side::inputs,
       .help = "first step and offset: least squared error, or the whole range"}};
  for (Setting& setting : step_settings()) {
    if (setting.name == "step_init") continue;
    if (setting.name != "input_n") setting.side = Side::weights;
    settings.push_back(std::move(setting));
  }
  return {.name = "lsq+",
          .help = "LSQ with a learned offset for activations, signed ones too (Bhalgat et al. 2020, arXiv 2004.09576)",
          .settings = std::move(settings),
          .scope = {.per_channel = true},
          .make = make_lsq_plus};
}

}  // namespace ntq
