#pragma once
// Small methods that use what LSQ and NTQ leave at its default. The generic suite runs over them too.
#include <algorithm>
#include <vector>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/step_quantizer.h"

namespace ntq::test {

// Codes 0 .. 2^b - 1 between the smallest and the largest value of the batches, both buffers; the middle two thirds of
// them, found in a second pass. Penalty: weight * step. In training the range follows the input.
class Ranged : public Quantizer {
 public:
  explicit Ranged(const QuantSpec& spec)
      : Quantizer(spec),
        step_(register_buffer("step", Tensor::zeros({1}))),
        offset_(register_buffer("offset", Tensor::zeros({1}))),
        weight_(register_parameter("weight", Tensor::full({1}, spec.setting("weight").f32()), {.decay = false})) {}

  QuantRange range() const override { return {0, static_cast<float>((1 << spec().bits) - 1)}; }
  CodeGrid grid() const override { return {.range = range(), .step = step_, .offset = offset_}; }
  QuantTraits traits() const override {
    return {.levels = 1 << spec().bits, .zero_on_grid = false, .idempotent = false};
  }
  bool ready() const override { return ready_; }
  int calibration_passes() const override { return 2; }
  void start_pass(int pass) override { pass_ = pass; }
  void end_pass(int) override { pass_ = -1; }
  Tensor penalty() const override { return mul(weight_, step_); }

 private:
  Tensor quantized(const Tensor& x) override {
    if (pass_ >= 0 || training() || !ready_) follow(x);
    const auto values = [&] { return add(mul(whole(x), step_), offset_); };
    return custom_grad({"ranged"}, {x}, values, [](const Tensor& dy) { return std::vector{dy}; });
  }
  Tensor codes(const Tensor& x) const override { return cast_u8(whole(x.detach())); }
  Tensor whole(const Tensor& x) const { return clamp(round(div(sub(x, offset_), step_)), 0, range().high); }
  // Pass 0: the range; pass 1: what of it is kept.
  void follow(const Tensor& x) {
    const NoGrad no_grad;
    if (!ready_ && !all_finite(x)) throw DivergedError(spec().name + ": the first input is not finite");
    if (pass_ == 1) {
      const float middle = offset_.item() + step_.item() * range().high / 2;
      const float third = max(abs(sub(x, middle))).item() / 1.5f;
      set(middle - third, middle + third);
      return;
    }
    set(min(x).item(), max(x).item());
  }
  void set(float low, float high) {
    offset_.fill(low);
    step_.fill(std::max((high - low) / range().high, 1e-6f));
    ready_ = true;
  }
  void state_loaded() override {
    Quantizer::state_loaded();
    ready_ = step_.item() > 0;
  }

  Tensor step_, offset_, weight_;
  int pass_ = -1;
  bool ready_ = false;
};

// LSQ of tanh(w) / max|tanh(w)|, as DoReFa normalises.
class TanhLsq : public StepQuantizer {
 public:
  using StepQuantizer::StepQuantizer;
  Tensor transform(const Tensor& w) const override {
    const Tensor t = tanh(w);
    return div(t, max(max(abs(t)), 1e-8f));
  }
  QuantTraits traits() const override { return {.levels = 1 << spec().bits, .idempotent = false}; }
};

// -s, 0 (up to s / 2) or s with s = mean|w| of the weights that it is given: nothing is learned, no step is kept.
class MeanSign : public Quantizer {
 public:
  explicit MeanSign(const QuantSpec& spec) : Quantizer(spec), step_(register_buffer("step", Tensor::zeros({1}))) {}
  QuantRange range() const override { return {-1, 1}; }
  CodeGrid grid() const override { return {.range = range(), .step = step_}; }
  QuantTraits traits() const override { return {.levels = 3, .idempotent = false, .symmetric = true}; }

 private:
  Tensor quantized(const Tensor& w) override {
    const auto values = [&] {
      step_.copy_from(mean(abs(w)));
      return mul(whole(w), step_);
    };
    return custom_grad({"mean_sign"}, {w}, values, [](const Tensor& dy) { return std::vector{dy}; });
  }
  Tensor codes(const Tensor& w) const override { return cast_i8(whole(w)); }
  static Tensor whole(const Tensor& w) {
    const Tensor size = abs(w);
    return mul(sign(w), less(mul(0.5f, mean(size)), size));
  }

  Tensor step_;
};

/// Once, however often it is called.
inline void register_seam_methods() {
  static const bool done = [] {
    register_quantizer(
        {.name = "test-ranged",
         .help = "of tests",
         .settings = {{.name = "weight", .standard = 0.5, .within = {.low = 0}, .help = "of the penalty"}},
         .scope = {.weights = false, .signed_inputs = false},
         .make = [](const QuantSpec& spec) { return std::make_shared<Ranged>(spec); }});
    register_quantizer({.name = "test-tanh",
                        .help = "of tests",
                        .settings = step_settings(),
                        .scope = {.signed_inputs = false, .unsigned_inputs = false},
                        .make = [](const QuantSpec& spec) { return std::make_shared<TanhLsq>(spec); }});
    register_quantizer({.name = "test-mean-sign",
                        .help = "of tests",
                        .settings = {},
                        .scope = {.most_bits = 2, .signed_inputs = false, .unsigned_inputs = false},
                        .make = [](const QuantSpec& spec) { return std::make_shared<MeanSign>(spec); }});
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace ntq::test
