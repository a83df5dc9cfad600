// APoT: "Additive Powers-of-Two Quantization", Li et al., ICLR 2020 (arXiv 1909.13144): levels that are sums of powers
// of two, between 0 and a learned clipping alpha; weights normalised first. Levels and gradients as in the authors'
// code (yhhhli/APoT_Quantization, ImageNet/models/quant_layer.py).
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/look_up.h"
#include "engine/ops/reduce.h"
#include "quant/method.h"
#include "quant/weight_norm.h"

namespace ntq {
namespace {

constexpr int kMostAdditiveBits = 6;

bool is_additive(int bits) { return bits >= 2 && bits <= kMostAdditiveBits; }

/// 2^bits magnitudes from 0 to 1. Terms of two bits, and one of a single bit where `bits` is odd; a term is 0 or one of
/// its powers, and the powers 1/2, 1/4, ... are dealt to the terms in turn.
std::vector<double> magnitudes(int bits) {
  if (!is_additive(bits)) {
    std::vector<double> even(size_t{1} << bits);
    std::iota(even.begin(), even.end(), 0.0);
    for (double& level : even) level /= static_cast<double>((1 << bits) - 1);
    return even;
  }
  const auto terms = static_cast<size_t>(bits) / 2;
  std::vector<std::vector<double>> choices(terms + static_cast<size_t>(bits) % 2, {0.0});
  int power = 0;
  for (int turn = 0; turn < 3; ++turn) {
    if (turn == 2 && choices.size() > terms) choices.back().push_back(std::exp2(-++power));
    for (size_t term = 0; term < terms; ++term) choices[term].push_back(std::exp2(-++power));
  }
  std::vector<double> sums{0.0};
  for (const auto& choice : choices) {
    std::vector<double> longer;
    for (const double sum : sums) {
      for (const double value : choice) longer.push_back(sum + value);
    }
    sums = std::move(longer);
  }
  std::sort(sums.begin(), sums.end());
  const double most = sums.back();
  for (double& sum : sums) sum /= most;
  return sums;
}

Tensor tensor_of(const std::vector<float>& values) {
  return Tensor::from({static_cast<int64_t>(values.size())}, std::span<const float>(values));
}

/// For alpha = 1: the levels, rising, both signs where signed; the midpoints between them. For gradients also where x
/// is clipped: inside is 1 between the two ends.
struct Units {
  Tensor levels, midpoints;
  Tensor ends, cells, inside;  // thresholds; the level and whether it is inside, between them

  explicit Units(const QuantSpec& spec) {
    const std::vector<double> positive = magnitudes(spec.is_signed ? spec.bits - 1 : spec.bits);
    std::vector<float> all, middles;
    for (size_t i = positive.size() - 1; spec.is_signed && i > 0; --i) all.push_back(static_cast<float>(-positive[i]));
    for (const double level : positive) all.push_back(static_cast<float>(level));
    for (size_t i = 1; i < all.size(); ++i) middles.push_back((all[i - 1] + all[i]) / 2);
    levels = tensor_of(all), midpoints = tensor_of(middles);
    // The ends themselves are inside.
    middles.insert(middles.begin(), spec.is_signed ? std::nextafter(-1.0f, -2.0f) : -1e-30f);
    middles.push_back(1);
    all.insert(all.begin(), all.front());
    all.push_back(all.back());
    std::vector<float> between(all.size(), 1.0f);
    between.front() = between.back() = 0;
    ends = tensor_of(middles), cells = tensor_of(all), inside = tensor_of(between);
  }
  void move_to(Device device) {
    for (Tensor* t : {&levels, &midpoints, &ends, &cells, &inside}) *t = t->to(device);
  }
};

class ApotQuantizer : public Quantizer {
 public:
  explicit ApotQuantizer(const QuantSpec& spec)
      : Quantizer(spec),
        units_(spec),
        alpha_(register_parameter("alpha", Tensor::full({1}, spec.setting(alpha_name()).f32()),
                                  {.floor = 1e-3f, .most_change = kMostScaleChange})) {
    if (spec.is_weight) norm_.emplace(spec.setting("detach_norm").flag());
    if (spec.is_weight) clip_gradient_ = spec.setting("clip_gradient").flag();
    if (spec.is_weight && spec.setting("restore_scale").flag()) {
      deviation_ = register_buffer("deviation", Tensor::full({1}, 1.0f));
    }
  }

  QuantRange range() const override {
    const auto count = static_cast<float>(units_.levels.numel());
    return spec().is_signed ? QuantRange{(1 - count) / 2, (count - 1) / 2} : QuantRange{0, count - 1};
  }
  CodeGrid grid() const override {
    const NoGrad no_grad;
    units_.move_to(alpha_.device());
    const Tensor table = mul(units_.levels, alpha_);
    return {.range = range(), .levels = deviation_ ? mul(table, deviation_) : table};
  }
  QuantTraits traits() const override {
    return {.levels = static_cast<int>(units_.levels.numel()), .idempotent = !spec().is_weight};
  }
  std::string left_out(const TrainingPlan&) const override {
    const int of_magnitude = spec().is_signed ? spec().bits - 1 : spec().bits;
    if (is_additive(of_magnitude)) return {};
    return concat(spec().bits, " bits have even levels here, which are no sums of powers of two");
  }
  /// Of a weight: less its mean.
  Tensor transform(const Tensor& x) const override { return norm_ ? norm_->centered(x) : x; }

 private:
  const char* alpha_name() const { return spec().is_weight ? "weight_alpha" : "input_alpha"; }

  Tensor quantized(const Tensor& x) override {
    if (!norm_) return nearest(x);
    const Tensor deviation = norm_->deviation(x);
    const Tensor y = nearest(div(x, deviation));
    if (!deviation_) return y;
    deviation_.copy_from(deviation.detach());
    return mul(y, deviation);
  }
  Tensor codes(const Tensor& x) const override {
    const NoGrad no_grad;
    units_.move_to(alpha_.device());
    const Tensor midpoints = mul(units_.midpoints, alpha_);
    if (!norm_) return look_up_places(x, midpoints, range());
    const Tensor deviation = norm_->deviation(x);
    if (deviation_) deviation_.copy_from(deviation);
    return look_up_places(div(x, deviation), midpoints, range());
  }

  // With u = x / alpha, straight through the rounding: dx = dy where u is not clipped; dalpha = sum dy (q - u) there,
  // the sign of u where it is.
  Tensor nearest(const Tensor& x) {
    units_.move_to(alpha_.device());
    const bool clip = clip_gradient_ || !spec().is_weight;
    const auto values = [&] { return look_up(x, mul(units_.midpoints, alpha_), mul(units_.levels, alpha_)); };
    return custom_grad(
        {"apot"}, {x, alpha_}, values,
        [x = x.detach(), alpha = alpha_.clone().detach(), units = units_, clip](const Tensor& dy) {
          const auto [dx, sums] = look_up_grad(x, mul(units.ends, alpha), units.inside, dy, DType::f32);
          const auto row = [&sums = sums](int64_t i) { return sums.rows(i, i + 1).view({sums.size(2)}); };
          const Tensor of_levels = sum(mul(row(0), units.cells)), of_inside = sum(mul(row(1), units.inside));
          return std::vector{clip ? dx : dy, sub(of_levels, div(of_inside, alpha))};
        });
  }

  mutable Units units_;  // on the device last seen
  Tensor alpha_;
  std::optional<WeightNorm> norm_;
  bool clip_gradient_ = true;
  mutable Tensor deviation_;  // of the weights last seen, which the levels are in units of
};

}  // namespace

QuantMethod apot_method() {
  return {
      .name = "apot",
      .help =
          "sums of powers of two below a learned clipping (Li et al. 2020, arXiv 1909.13144); 2-bit weights, and "
          "more than 6 bits beside the sign, have even levels; signed inputs have weights' levels",
      .settings = {{.name = "weight_alpha",
                    .standard = 3.0,
                    .within = {.low = 0.001, .high = 1e6},
                    .side = Side::weights,
                    .help = "first clipping of normalised weights (the authors' code)"},
                   {.name = "input_alpha",
                    .standard = 8.0,
                    .within = {.low = 0.001, .high = 1e6},
                    .side = Side::inputs,
                    .help = "first clipping (the authors' code: 8 for CIFAR, 6 for ImageNet)"},
                   {.name = "clip_gradient",
                    .standard = true,
                    .side = Side::weights,
                    .help = "clipped weights get no gradient (ImageNet code); false: all do (CIFAR code)"},
                   {.name = "detach_norm",
                    .standard = false,
                    .side = Side::weights,
                    .help = "no gradient through mean and deviation (CIFAR code)"},
                   {.name = "restore_scale",
                    .standard = true,
                    .side = Side::weights,
                    .help =
                        "times the deviation again: the same behind a batch norm, and a classifier keeps its logits; "
                        "false: as the authors' code"}},
      .make = [](const QuantSpec& spec) { return std::make_shared<ApotQuantizer>(spec); }};
}

}  // namespace ntq
