#pragma once
// Uniform quantizer with learned steps: LSQ (arXiv 1902.08153), and what is built on it.
#include "engine/ops/quantize.h"
#include "quant/method.h"
#include "quant/oscillation.h"

namespace ntq {

/// Parameter: step {1}, or {C} for spec.per_channel; 0 until the first forward or calibration sets it. Settings: those
/// of step_settings().
class StepQuantizer : public Quantizer {
 public:
  explicit StepQuantizer(const QuantSpec& spec);
  CodeGrid grid() const override { return {.range = range(), .step = step_}; }
  bool ready() const override;
  /// One pass. From mean|x|: the steps of all inputs together. Of least error: the mean of theirs, by their sizes.
  int calibration_passes() const override { return 1; }
  void start_pass(int pass) override;
  void end_pass(int pass) override;
  void after_step() override;

 protected:
  /// Throws DivergedError, naming the layer, for a first input that is not finite.
  Tensor quantized(const Tensor& x) override;
  bool takes_bf16() const override { return true; }
  Tensor codes(const Tensor& x) const override { return quantize_codes(x, step_, range()); }
  void state_loaded() override;
  /// plain_steps() of a method that does not change quantized(); none while a calibration runs, or where weights are
  /// steadied.
  std::optional<PlainSteps> own_steps(const Tensor& x) const;
  /// What quantized() takes of `x`: range and gradient's scale, which a method may complete.
  virtual QuantizeArgs args_of(const Tensor& x) const;
  /// The first step that `x` asks for, with `size` its sum of |x|, times its elements.
  virtual double first_step_sum(const Tensor& x, double size) const;

 private:
  void init_step(const Tensor& x);

  Tensor step_;
  bool borders_inside_;
  mutable bool ready_ = false;  // known to be set
  bool calibrating_ = false;
  std::vector<double> sums_;  // of the inputs that the first steps are taken from, a sum for each step
  double count_ = 0;          // their elements for each step
};

/// N of the gradient scale of `x`, an input's values, as "input_n" says.
int64_t input_count(const QuantSpec& spec, const Tensor& x);
/// The open readings of LSQ, and oscillation_settings(), for QuantMethod::settings.
std::vector<Setting> step_settings();

}  // namespace ntq
