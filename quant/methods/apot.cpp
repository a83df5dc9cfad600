// APoT: "Additive Powers-of-Two Quantization", Li et al., ICLR 2020 (arXiv 1909.13144): levels that are sums of powers
// of two, between 0 and a learned clipping alpha; weights normalised first. Levels and gradients as in the authors'
// code (yhhhli/APoT_Quantization, ImageNet/models/quant_layer.py).
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/level_table.h"
#include "quant/method.h"
#include "quant/weight_norm.h"

namespace ntq {
namespace {

constexpr int kMostAdditiveBits = 6;

/// 2^bits magnitudes from 0 to 1. Terms of two bits, and one of a single bit where `bits` is odd; a term is 0 or one of
/// its powers, and the powers 1/2, 1/4, ... are dealt to the terms in turn.
std::vector<double> magnitudes(int bits) {
  if (bits < 2 || bits > kMostAdditiveBits) {
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

/// The levels for alpha = 1, rising; both signs where signed.
Tensor unit_levels(const QuantSpec& spec) {
  const std::vector<double> positive = magnitudes(spec.is_signed ? spec.bits - 1 : spec.bits);
  std::vector<float> levels;
  for (size_t i = positive.size() - 1; spec.is_signed && i > 0; --i) levels.push_back(static_cast<float>(-positive[i]));
  for (const double level : positive) levels.push_back(static_cast<float>(level));
  return Tensor::from({static_cast<int64_t>(levels.size())}, std::span<const float>(levels));
}

class ApotQuantizer : public Quantizer {
 public:
  explicit ApotQuantizer(const QuantSpec& spec)
      : Quantizer(spec),
        units_(unit_levels(spec)),
        alpha_(register_parameter("alpha", Tensor::full({1}, spec.setting(alpha_name()).f32()), {.floor = 1e-3f})) {
    if (spec.is_weight) norm_.emplace(spec.setting("detach_norm").flag());
    if (spec.is_weight) clip_gradient_ = spec.setting("clip_gradient").flag();
    if (spec.is_weight && spec.setting("restore_scale").flag()) {
      deviation_ = register_buffer("deviation", Tensor::full({1}, 1.0f));
    }
  }

  QuantRange range() const override {
    const auto count = static_cast<float>(units_.numel());
    return spec().is_signed ? QuantRange{(1 - count) / 2, (count - 1) / 2} : QuantRange{0, count - 1};
  }
  CodeGrid grid() const override {
    const NoGrad no_grad;
    const Tensor table = levels();
    return {.range = range(), .levels = deviation_ ? mul(table, deviation_) : table};
  }
  QuantTraits traits() const override {
    return {.levels = static_cast<int>(units_.numel()), .idempotent = !spec().is_weight};
  }
  /// Of a weight: less its mean.
  Tensor transform(const Tensor& x) const override { return norm_ ? norm_->centered(x) : x; }

 private:
  const char* alpha_name() const { return spec().is_weight ? "weight_alpha" : "input_alpha"; }
  Tensor levels() const { return mul(units_.to(alpha_.device()), alpha_.detach()); }

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
    const LevelTable table(levels());
    if (!norm_) return table.codes(x, range());
    const Tensor deviation = norm_->deviation(x);
    if (deviation_) deviation_.copy_from(deviation);
    return table.codes(div(x, deviation), range());
  }

  // With u = x / alpha, straight through the rounding: dx = dy where u is not clipped; dalpha = sum dy (q - u) there,
  // the sign of u where it is.
  Tensor nearest(const Tensor& x) const {
    const Tensor y = LevelTable(levels()).values(x);
    const bool clip = clip_gradient_ || !spec().is_weight;
    const float low = spec().is_signed ? -1.0f : 0.0f;
    return custom_grad(
        {"apot"}, {x, alpha_}, [&] { return y; },
        [x = x.detach(), alpha = alpha_, y, clip, low](const Tensor& dy) {
          const Tensor u = div(x, alpha.detach());
          const Tensor inside = mul(less_equal(u, 1.0f), less_equal(low, u));
          const Tensor d = div(sub(y, mul(x, inside)), alpha.detach());
          return std::vector{clip ? mul(dy, inside) : dy, sum(mul(dy, d))};
        });
  }

  Tensor units_, alpha_;
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
