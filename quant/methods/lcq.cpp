// LCQ: "Learnable Companding Quantization for Accurate Low-bit Neural Networks", Yamamoto, CVPR 2021 (arXiv
// 2103.07156): |x| / alpha goes through a learned piecewise linear function f on [0, 1], is rounded, and goes back
// through its inverse. Slopes gamma = K softmax(theta) over K intervals. Limited weight normalisation before, the
// deviation again behind. Formulas as DensoITLab/nuLSQ (src/quantizer/nonuniform/lcq.py) has them.
#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/first_input.h"
#include "quant/weight_norm.h"

namespace ntq {
namespace {

using Numbers = std::vector<double>;

/// f and its inverse: piece i has slope[i], and begins with value begin[i] at i / K.
struct Companding {
  Numbers share, slope, begin;  // share: softmax(theta)

  explicit Companding(const std::vector<float>& theta) {
    const double pieces = static_cast<double>(theta.size());
    const double most = static_cast<double>(*std::max_element(theta.begin(), theta.end()));
    double total = 0;
    for (const float t : theta) share.push_back(std::exp(static_cast<double>(t) - most)), total += share.back();
    double sum = 0;
    for (double& s : share) {
      s /= total;
      slope.push_back(pieces * s);
      begin.push_back(sum);
      sum += s;
    }
  }
  double place(size_t piece) const { return static_cast<double>(piece) / static_cast<double>(slope.size()); }
  size_t piece_of(double v) const {
    const auto last = static_cast<double>(slope.size() - 1);
    return static_cast<size_t>(std::clamp(std::floor(v * (last + 1)), 0.0, last));
  }
  double compressed(double v, size_t piece) const { return slope[piece] * (v - place(piece)) + begin[piece]; }
  /// The last piece that begins at y or below.
  size_t piece_before(double y) const {
    return static_cast<size_t>(std::upper_bound(begin.begin(), begin.end(), y) - begin.begin()) - 1;
  }
  double expanded(double y, size_t piece) const { return (y - begin[piece]) / slope[piece] + place(piece); }
};

/// What the values and the gradients are made of.
struct Curve {
  Companding f;
  double alpha;
  int steps;                   ///< S: y is a whole number of 1 / S
  std::vector<size_t> pieces;  ///< of each y
  Numbers levels;              ///< z of each y, in [0, 1]

  /// The magnitude of |x| = alpha v as a multiple of 1 / S.
  size_t nearest(double v) const {
    if (!(v < 1)) return static_cast<size_t>(steps);
    return static_cast<size_t>(std::nearbyint(steps * f.compressed(v, f.piece_of(v))));
  }
};

class LcqQuantizer : public FirstInputQuantizer {
 public:
  explicit LcqQuantizer(const QuantSpec& spec)
      : FirstInputQuantizer(spec),
        alpha_(register_parameter("alpha", Tensor::zeros({1}), {.floor = 1e-6f})),
        steps_((1 << (spec.is_signed ? spec.bits - 1 : spec.bits)) - 1),
        exact_(spec.setting("gradient").word() == "exact"),
        requantize_(spec.setting("requantize").flag()) {
    // With one step there is nothing to compand.
    if (steps_ > 1) {
      const auto pieces = static_cast<int64_t>(spec.setting("intervals").number());
      theta_ = register_parameter("theta", Tensor::zeros({pieces}));
    }
    if (spec.is_weight && spec.setting("normalise").flag()) {
      norm_.emplace(spec.setting("detach_norm").flag());
      deviation_ = register_buffer("deviation", Tensor::full({1}, 1.0f));
    }
    zero_until_ready(alpha_);
  }

  QuantRange range() const override {
    const auto most = static_cast<float>(steps_);
    return {spec().is_signed ? -most : 0.0f, most};
  }
  CodeGrid grid() const override {
    const NoGrad no_grad;
    const Tensor table = table_of(curve()).to(alpha_.device());
    return {.range = range(), .levels = deviation_ ? mul(table, deviation_) : table};
  }
  QuantTraits traits() const override {
    return {.levels = static_cast<int>(range().high - range().low) + 1, .idempotent = false};
  }
  /// Of a weight: less its mean.
  Tensor transform(const Tensor& x) const override { return norm_ ? norm_->centered(x) : x; }

 private:
  // As nuLSQ: S times LSQ's first step.
  void set_first_values(const InputStatistics& seen) override {
    double first = 2 * seen.mean_abs() * std::sqrt(static_cast<double>(steps_));
    if (spec().setting("alpha_init").word() == "fixed") first = spec().is_weight ? 3 : 8;
    alpha_.fill(static_cast<float>(std::max(first, 1e-6)));
  }

  Curve curve() const {
    Curve out{.f = Companding(theta_ ? theta_.to_vector() : std::vector<float>{0.0f}),
              .alpha = static_cast<double>(alpha_.item()),
              .steps = steps_,
              .pieces = {},
              .levels = {}};
    const double bytes = spec().is_signed ? 127 : 255;
    for (int k = 0; k <= steps_; ++k) {
      const double y = static_cast<double>(k) / steps_;
      out.pieces.push_back(out.f.piece_before(y));
      const double z = k == steps_ ? 1 : out.f.expanded(y, out.pieces.back());
      out.levels.push_back(requantize_ ? std::nearbyint(z * bytes) / bytes : z);
    }
    return out;
  }
  /// From the lowest code to the highest.
  Tensor table_of(const Curve& curve) const {
    std::vector<float> table;
    for (int k = spec().is_signed ? -steps_ : 0; k <= steps_; ++k) {
      const double level = curve.alpha * curve.levels[static_cast<size_t>(std::abs(k))];
      table.push_back(static_cast<float>(k < 0 ? -level : level));
    }
    return Tensor::from({static_cast<int64_t>(table.size())}, std::span<const float>(table));
  }
  /// The code of x: sign and magnitude.
  int code_of(const Curve& curve, float x) const {
    if (!spec().is_signed && !(x > 0)) return 0;
    const int magnitude = static_cast<int>(curve.nearest(std::abs(static_cast<double>(x)) / curve.alpha));
    return x < 0 ? -magnitude : magnitude;
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
    in = in.to(Device());
    const Curve now = curve();
    const Tensor out = Tensor::empty(x.shape(), spec().is_signed ? DType::i8 : DType::u8);
    auto* bytes = static_cast<uint8_t*>(out.raw());
    for (int64_t i = 0; i < x.numel(); ++i) bytes[i] = static_cast<uint8_t>(code_of(now, in.f32()[i]));
    return out;
  }

  Tensor companded(const Tensor& x) {
    prepare(x);
    const Curve now = curve();
    const Tensor table = table_of(now), in = x.detach().to(Device()), y = Tensor::empty(x.shape());
    const int first = static_cast<int>(range().low);
    for (int64_t i = 0; i < x.numel(); ++i) {
      const float value = in.f32()[i];
      y.f32()[i] = std::isfinite(value) ? table.f32()[code_of(now, value) - first] : NAN;
    }
    std::vector<Tensor> inputs{x, alpha_};
    if (theta_) inputs.push_back(theta_);
    return custom_grad(
        {"lcq"}, inputs, [&] { return y.to(x.device()); },
        [this, x = in, now](const Tensor& dy) { return gradients(now, x, dy); });
  }

  // Straight through the rounding alone: x = sg alpha v, piece i of v, piece j of the rounded y, z of y.
  std::vector<Tensor> gradients(const Curve& now, const Tensor& x, const Tensor& dy) const {
    const Companding& f = now.f;
    const Tensor up = dy.to(Device()), dx = Tensor::zeros(x.shape());
    Numbers dslope(f.slope.size()), dbegin(f.slope.size());
    double dalpha = 0;
    for (int64_t n = 0; n < x.numel(); ++n) {
      const auto value = static_cast<double>(x.f32()[n]), g = static_cast<double>(up.f32()[n]);
      if (!spec().is_signed && !(value > 0)) continue;
      const double sg = value < 0 ? -1 : value > 0 ? 1 : 0, v = std::abs(value) / now.alpha;
      if (!(v < 1)) {
        dalpha += g * sg;
        continue;
      }
      const size_t i = f.piece_of(v), k = now.nearest(v), j = now.pieces[k];
      const double ratio = exact_ ? f.slope[i] / f.slope[j] : 1.0, y = static_cast<double>(k) / steps_;
      dx.f32()[n] = static_cast<float>(g * ratio);
      dalpha += g * sg * (now.levels[k] - ratio * v);
      const double h = g * sg * now.alpha / f.slope[j];
      dslope[i] += h * (v - f.place(i));
      dslope[j] -= h * (y - f.begin[j]) / f.slope[j];
      dbegin[i] += h;
      dbegin[j] -= h;
    }
    const auto alpha = static_cast<float>(dalpha);
    std::vector<Tensor> out{dx.to(dy.device()), Tensor::full({1}, alpha, dy.device())};
    if (theta_) out.push_back(to_theta(f, dslope, dbegin).to(dy.device()));
    return out;
  }
  static Tensor to_theta(const Companding& f, const Numbers& dslope, const Numbers& dbegin) {
    Numbers dshare(dslope.size());
    double behind = 0, mean = 0;
    for (size_t m = dshare.size(); m-- > 0;) {
      dshare[m] = static_cast<double>(dshare.size()) * dslope[m] + behind;
      behind += dbegin[m];
      mean += f.share[m] * dshare[m];
    }
    const Tensor out = Tensor::empty({static_cast<int64_t>(dshare.size())});
    for (size_t m = 0; m < dshare.size(); ++m) out.f32()[m] = static_cast<float>(f.share[m] * (dshare[m] - mean));
    return out;
  }

  Tensor alpha_, theta_;
  int steps_;
  bool exact_, requantize_;
  std::optional<WeightNorm> norm_;
  mutable Tensor deviation_;  // of the weights last seen, which the levels are in units of
};

}  // namespace

QuantMethod lcq_method() {
  return {.name = "lcq",
          .help =
              "learned companding: levels as a learned piecewise linear function sets them (Yamamoto 2021, arXiv "
              "2103.07156); signed inputs, which the paper does not define, symmetric as weights",
          .settings = {{.name = "intervals",
                        .standard = 16,
                        .within = {.low = 1, .high = 256},
                        .whole = true,
                        .help = "pieces K of the function (16 in nuLSQ)"},
                       {.name = "gradient",
                        .standard = "exact",
                        .words = {"exact", "unit"},
                        .help = "of x and alpha: straight through the rounding alone, or as if both slopes were equal "
                                "(nuLSQ's code)"},
                       {.name = "alpha_init",
                        .standard = "lsq",
                        .words = {"lsq", "fixed"},
                        .help = "first alpha: S times LSQ's step (nuLSQ), or 3 for weights and 8 for inputs (APoT)"},
                       {.name = "requantize", .standard = false, .help = "levels rounded to 8 bits, for a small table"},
                       {.name = "normalise",
                        .standard = true,
                        .side = Side::weights,
                        .help = "limited weight normalisation; false: the weights as they are"},
                       {.name = "detach_norm",
                        .standard = false,
                        .side = Side::weights,
                        .help = "no gradient through mean and deviation (APoT's CIFAR code); false: nuLSQ"}},
          .make = [](const QuantSpec& spec) { return std::make_shared<LcqQuantizer>(spec); }};
}

}  // namespace ntq
