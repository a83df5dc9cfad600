// DoReFa: "DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth Gradients", Zhou et al.
// 2016 (arXiv 1606.06160): weights and activations; its quantized gradients are left out.
#include "quant/methods/dorefa.h"

#include "engine/ops/binary.h"
#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/oscillation.h"
#include "quant/range_quantizer.h"

namespace ntq {
namespace {

/// 2^b values on a fixed interval, a buffer each for the step and, where it does not begin at 0, for the offset.
class UnitQuantizer : public Quantizer {
 public:
  QuantRange range() const override { return {0, static_cast<float>((1 << spec().bits) - 1)}; }
  CodeGrid grid() const override { return {.range = range(), .step = step_, .offset = offset_}; }

 protected:
  UnitQuantizer(const QuantSpec& spec, float low, float high) : Quantizer(spec) {
    step_ = register_buffer("step", Tensor::full({1}, (high - low) / range().high));
    if (low != 0) offset_ = register_buffer("offset", Tensor::full({1}, low));
  }
  Tensor codes(const Tensor& x) const override { return quantize_codes(offset_ ? sub(x, offset_) : x, step_, range()); }
  Tensor values(const Tensor& x) const {
    if (!offset_) return quantize(x, step_, {.range = range()});
    return add(quantize(sub(x, offset_), step_, {.range = range()}), offset_);
  }

 private:
  Tensor step_, offset_;
};

/// 2 round((2^b - 1) (t + 1) / 2) / (2^b - 1) - 1, t = tanh(w) / max|tanh(w)| (Eq. 9 and 10). Straight through
/// rounding.
class DorefaWeights : public UnitQuantizer {
 public:
  explicit DorefaWeights(const QuantSpec& spec)
      : UnitQuantizer(spec, -1, 1), grad_(spec.setting("weight_grad").word()) {}
  QuantTraits traits() const override {
    return {.levels = 1 << spec().bits, .zero_on_grid = false, .idempotent = false};
  }
  /// As PACT's weights.
  std::string left_out(const TrainingPlan&) const override {
    return spec().method == "dorefa" ? "" : "its clipping is of activations, which it does not quantize here";
  }
  Tensor transform(const Tensor& w) const override {
    if (grad_ == "identity") {
      return custom_grad(
          {"dorefa_weights"}, {w}, [&] { return normalized(w); }, [](const Tensor& dy) { return std::vector{dy}; });
    }
    return normalized(w);
  }

 private:
  Tensor normalized(const Tensor& w) const {
    const Tensor t = tanh(w), largest = max(max(abs(t)), 1e-8f);
    return div(t, grad_ == "exact" ? largest : largest.detach());
  }
  Tensor quantized(const Tensor& normalised) override {
    const Tensor t = steadied(normalised);
    return custom_grad(
        {"dorefa"}, {t}, [&] { return values(t); }, [](const Tensor& dy) { return std::vector{dy}; });
  }

  std::string grad_;
};

/// round((2^b - 1) clip(x, 0, 1)) / (2^b - 1) (Eq. 11); the gradient passes where 0 <= x <= 1.
class DorefaInputs : public UnitQuantizer {
 public:
  explicit DorefaInputs(const QuantSpec& spec) : UnitQuantizer(spec, 0, 1) {}

 private:
  Tensor quantized(const Tensor& x) override {
    return custom_grad(
        {"dorefa"}, {x}, [&] { return values(x); },
        [x = x.detach()](const Tensor& dy) {
          return std::vector{mul(dy, mul(less_equal(0.0f, x), less_equal(x, 1.0f)))};
        });
  }
};

std::shared_ptr<Quantizer> make_dorefa(const QuantSpec& spec) {
  if (spec.is_weight) return make_dorefa_weights(spec);
  if (spec.is_signed) return std::make_shared<RangeQuantizer>(spec, RangeOptions{});
  return std::make_shared<DorefaInputs>(spec);
}

}  // namespace

std::shared_ptr<Quantizer> make_dorefa_weights(const QuantSpec& spec) { return std::make_shared<DorefaWeights>(spec); }

std::vector<Setting> dorefa_weight_settings() {
  return with_oscillation_settings(
      {{.name = "weight_grad",
        .standard = "exact",
        .words = {"exact", "detached", "identity"},
        .side = Side::weights,
        .help = "through tanh(w) / max|tanh(w)|, the same with a constant maximum, or past both"}});
}

QuantMethod dorefa_method() {
  return {.name = "dorefa",
          .help =
              "weights by tanh onto [-1, 1], activations clipped to [0, 1] (Zhou et al. 2016, arXiv 1606.06160, Eq. "
              "9-11); signed inputs, which its authors leave alone: fixed symmetric min-max",
          .settings = dorefa_weight_settings(),
          .make = make_dorefa};
}

}  // namespace ntq
