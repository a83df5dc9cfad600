#pragma once
// What is done about weights that jump between two codes: Nagel et al., "Overcoming Oscillations in Quantization-Aware
// Training", ICML 2022 (arXiv 2203.11086); numbers as in its code (Qualcomm-AI-research/oscillations-qat).
#include <functional>

#include "quant/quantizer.h"

namespace ntq {

/// Of one weight, for a method with steps.
class Oscillation {
 public:
  using RegisterBuffer = std::function<Tensor(const std::string&, Tensor)>;

  /// Reads oscillation_settings() of a weight's spec. With "freeze" there are buffers in the weight's shape: osc_code
  /// (the last), osc_direction (of its last change), osc_frequency, osc_mean (of the codes), osc_frozen (1: is held),
  /// osc_held (where). Throws std::invalid_argument for freezing without a shape.
  Oscillation(const QuantSpec& spec, const RegisterBuffer& register_buffer);

  void on_progress(double fraction) { fraction_ = fraction; }
  bool freezes() const { return frozen_.defined(); }
  /// Frozen weights at their codes, without a gradient; `w` itself where nothing freezes.
  Tensor held(const Tensor& w, const Tensor& step) const;
  /// One look at the weights of a training step: takes the codes down, freezes, and sets the dampening. Looks once at
  /// each `training_step`.
  void look(const Tensor& w, const Tensor& step, QuantRange range, int64_t training_step);
  /// Of the last look, {1}: lambda times the squares of Q(w) - clip(w), summed over output channels, the mean over the
  /// rest; Q and the step have no gradient. Undefined: none.
  Tensor penalty() const { return penalty_; }
  void state_loaded() { looked_at_ = -1; }

  /// lambda: from 0 up to "dampen", a cosine over the run behind "osc_start".
  double dampening() const;
  /// From "freeze_from" down to "freeze" in the same way; 0 before.
  double threshold() const;

 private:
  double share() const;
  void take_down(const Tensor& codes);

  double dampen_ = 0, freeze_ = 0, freeze_from_ = 0, start_ = 0, fraction_ = 0;
  float momentum_ = 0;
  int64_t looked_at_ = -1;
  Tensor code_, direction_, frequency_, mean_, frozen_, held_, started_;
  Tensor penalty_;
};

/// For QuantMethod::settings, of weights.
std::vector<Setting> oscillation_settings();

}  // namespace ntq
