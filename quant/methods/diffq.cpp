// DiffQ: "Differentiable Model Compression via Pseudo Quantization Noise", Defossez et al., TMLR 2022 (arXiv
// 2104.09987), as in its code (facebookresearch/diffq): bits of groups of weights are learned, by noise instead of
// rounding and with the model's size in the loss.
#include "quant/methods/diffq.h"

#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/random.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"
#include "quant/method.h"

namespace ntq {
namespace {

constexpr float kLn2 = 0.69314718f;
constexpr double kBitsPerMegabyte = 8.0 * 1048576.0;

/// 2^b - 1
Tensor last_level(const Tensor& bits) { return sub(exp(scale(bits, kLn2)), 1.0f); }
double last_level(double bits) { return std::exp2(bits) - 1; }

}  // namespace

Tensor diffq_noised(const Tensor& w, const Tensor& bits, const Tensor& noise) {
  const Tensor n = reshape(noise, {bits.numel(), w.numel() / bits.numel()});
  const Tensor range = sub(max(w), min(w));
  return add(w, reshape(mul(div(n, last_level(bits)), range), w.shape()));
}

namespace {

/// Parameter: logits {groups} of Adam's; none for weights that are too small to be quantized.
class DiffQ : public Quantizer {
 public:
  explicit DiffQ(const QuantSpec& spec)
      : Quantizer(spec),
        group_(static_cast<int64_t>(spec.setting("group_size").number())),
        low_(spec.setting("min_bits").f32()),
        high_(spec.setting("max_bits").f32()),
        by_noise_(spec.setting("parameter").word() == "noise"),
        stream_(draw_stream("noise")) {
    check(spec.shape.rank() >= 1, "diffq needs the shape of the weight");
    check(low_ < high_, "diffq: min_bits must be below max_bits, found ", low_, " and ", high_);
    if (static_cast<double>(spec.shape.numel()) * 4 <= spec.setting("min_size").number() * 1048576) return;
    check(spec.shape.numel() % group_ == 0, "diffq: group_size must divide the ", spec.shape.numel(),
          " weights, found ", group_);
    check(static_cast<float>(spec.bits) >= low_ && static_cast<float>(spec.bits) <= high_,
          "diffq: the first bits must be min_bits ", low_, " to max_bits ", high_, ", found ", spec.bits);
    logits_ = register_parameter("logits", Tensor::full({spec.shape.numel() / group_}, first_logit()),
                                 {.decay = false, .lr_scale = spec.setting("logit_lr").f32(), .optimizer = "adam"});
  }

  CodeGrid grid() const override { return {}; }
  QuantTraits traits() const override {
    return {.levels = 1 << 15, .zero_on_grid = false, .idempotent = false, .codes = false};
  }
  Tensor penalty() const override {
    const float weight = spec().setting("penalty").f32();
    if (!logits_ || weight == 0) return {};
    return scale(size(), static_cast<float>(static_cast<double>(weight) / kBitsPerMegabyte));
  }
  std::string left_out(const TrainingPlan&) const override {
    if (spec().setting("logit_lr").number() == 0) return "with logit_lr 0 no bits are learned";
    if (spec().setting("penalty").number() == 0) return "with penalty 0 the size is not in the loss";
    return logits_ ? "" : "no weight is above min_size, so none is quantized";
  }
  std::optional<double> learned_bits() const override {
    if (!logits_) return 32;
    const NoGrad no_grad;
    return static_cast<double>(mean(rounded_bits()).item());
  }
  double stored_bits(int64_t values) const override {
    const NoGrad no_grad;
    return logits_ ? static_cast<double>(size().item()) : 32.0 * static_cast<double>(values);
  }

 private:
  // At an end of the range a logit would be infinite and never move: it starts 1% of the range inside.
  float first_logit() const {
    const double b = spec().bits, low = static_cast<double>(low_), high = static_cast<double>(high_);
    double t = (b - low) / (high - low);
    if (by_noise_) t = std::log(last_level(b) / last_level(low)) / std::log(last_level(high) / last_level(low));
    t = std::min(std::max(t, 0.01), 0.99);
    return static_cast<float>(std::log(t / (1 - t)));
  }

  /// {groups,1}
  Tensor bits() const {
    const Tensor t = reshape(sigmoid(logits_), {logits_.numel(), 1});
    if (!by_noise_) return add(scale(t, high_ - low_), low_);
    // u = exp(t ln u_min + (1 - t) ln u_max) is the step's share of the range; b = log2(1 + 1 / u).
    const double least = last_level(static_cast<double>(low_)), most = last_level(static_cast<double>(high_));
    const Tensor levels =
        exp(add(scale(t, static_cast<float>(std::log(most / least))), static_cast<float>(std::log(least))));
    return scale(log(add(levels, 1.0f)), 1 / kLn2);
  }
  Tensor rounded_bits() const { return clamp(round(bits()), 1, 15); }

  /// The file's bits, {1}: weights, minimum and maximum, one byte, and the bits of each group.
  Tensor size() const {
    constexpr float kExact = 1e-4f;  // a whole logarithm stays so
    const Tensor b = bits();
    const Tensor kinds = add(round(max(b)), 1.0f - low_);
    const Tensor width = neg(floor(neg(sub(scale(log(kinds), 1 / kLn2), kExact))));
    return add(add(scale(sum(b), static_cast<float>(group_)), 72.0f), scale(width, static_cast<float>(b.numel())));
  }

  // No straight-through estimator: every part has its own gradient, the range R too.
  Tensor quantized(const Tensor& w) override {
    if (!logits_) return w;
    check(w.shape() == spec().shape, spec().name, ": the weight must be ", spec().shape, ", found ", w.shape());
    if (training()) return diffq_noised(w, bits(), draws(w.shape(), w.device()));
    const Tensor p = reshape(w, {logits_.numel(), group_});
    const Tensor low = min(w), range = sub(max(w), low), levels = last_level(rounded_bits());
    const Tensor level = round(mul(div(sub(p, low), max(range, 1e-30f)), levels));
    return reshape(add(mul(div(level, levels), range), low), w.shape());
  }
  Tensor codes(const Tensor&) const override { return {}; }

  Tensor draws(const Shape& shape, Device device) const {
    const RandomKey key = draw_key(stream_);
    if (spec().setting("noise").word() == "uniform") return sub(uniform(shape, key, device), 0.5f);
    return scale(standard_normal(shape, key, device), 0.5f);
  }

  int64_t group_;
  float low_, high_;
  bool by_noise_;
  uint32_t stream_;
  Tensor logits_;
};

}  // namespace

QuantMethod diffq_method() {
  const Interval bits{.low = 1, .high = 15};
  return {.name = "diffq",
          .help =
              "bits of groups of weights are learned, with the model's size in the loss (Defossez et al. 2022, "
              "arXiv 2104.09987); weights only, --bits are the first ones; values have no codes",
          .settings = {{.name = "penalty",
                        .standard = 5.0,
                        .within = {.low = 0, .high = 1e6},
                        .help = "weight of the size in MB in the loss (CIFAR examples 5 and 10, usage text 0.001)"},
                       {.name = "group_size",
                        .standard = 8,
                        .within = {.low = 1, .high = 1e6},
                        .whole = true,
                        .help = "neighbouring weights that share their bits (examples 8 and 16)"},
                       {.name = "min_bits", .standard = 2.0, .within = bits, .help = "lower end of the bits"},
                       {.name = "max_bits", .standard = 15.0, .within = bits, .help = "upper end of the bits"},
                       {.name = "min_size",
                        .standard = 0.01,
                        .within = {.low = 0, .high = 1e6},
                        .help = "weights of at most so many MB as float32 stay in full precision"},
                       {.name = "logit_lr",
                        .standard = 0.001,
                        .within = {.low = 0, .high = 10},
                        .help = "constant rate of Adam for the bits; 0 keeps them"},
                       {.name = "noise",
                        .standard = "gaussian",
                        .words = {"gaussian", "uniform"},
                        .help = "of deviation 1/2 steps (the library), or within half a step (Eq. 3)"},
                       {.name = "parameter",
                        .standard = "bits",
                        .words = {"bits", "noise"},
                        .help = "what the logit moves linearly: the bits, or the logarithm of the noise"}},
          .scope = {.signed_inputs = false, .unsigned_inputs = false},
          .make = [](const QuantSpec& spec) { return std::make_shared<DiffQ>(spec); }};
}

}  // namespace ntq
