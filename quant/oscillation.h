#pragma once
// What is done about weights that jump between two codes: Nagel et al., "Overcoming Oscillations in Quantization-Aware
// Training", ICML 2022 (arXiv 2203.11086); numbers as in its code (Qualcomm-AI-research/oscillations-qat).
#include <functional>
#include <optional>

#include "quant/quantizer.h"

namespace ntq {

/// Of one weight whose codes lie evenly: code k at k step + offset of a grid.
class Oscillation {
 public:
  using RegisterBuffer = std::function<Tensor(const std::string&, Tensor)>;

  /// Whether `spec` has oscillation_settings() that ask for something at some time of the run.
  static bool is_wanted(const QuantSpec& spec);
  /// With "freeze" there are buffers in the weight's shape: osc_code (the last), osc_direction (of its last change),
  /// osc_frequency, osc_mean (of the codes), osc_frozen (1: is held), osc_held (where). Throws std::invalid_argument
  /// for freezing without a shape.
  Oscillation(const QuantSpec& spec, const RegisterBuffer& register_buffer);

  /// Frozen weights at their codes, without a gradient; `w` itself where nothing freezes.
  Tensor held(const Tensor& w, const CodeGrid& grid) const;
  /// One look at the weights of a training step, `fraction` of the run being done: takes the codes down, freezes, and
  /// sets the penalty. Takes down once at each `training_step`.
  void look(const Tensor& w, const CodeGrid& grid, double fraction, int64_t training_step);
  /// Of the last look, {1}: lambda times the squares of Q(w) - clip(w), summed over output channels, the mean over the
  /// rest; Q and the grid have no gradient. Undefined: none.
  Tensor penalty() const { return penalty_; }
  void state_loaded() {
    looked_at_ = -1;
    has_started_.reset();
  }

  /// lambda: from 0 up to "dampen", a cosine over the run behind "osc_start".
  double dampening(double fraction) const;
  /// From "freeze_from" down to "freeze" in the same way; 0 before.
  double threshold(double fraction) const;

 private:
  double share(double fraction) const;
  void follow(const Tensor& codes);
  void take_down(const Tensor& codes, double threshold);

  double dampen_, freeze_, freeze_from_, start_;
  float momentum_;
  int64_t looked_at_ = -1;
  std::optional<bool> has_started_;  // not yet read from the buffer
  Tensor code_, direction_, frequency_, mean_, frozen_, held_, started_;
  Tensor penalty_;
};

/// For QuantMethod::settings, of weights.
std::vector<Setting> oscillation_settings();
/// `own`, and these behind.
std::vector<Setting> with_oscillation_settings(std::vector<Setting> own);

}  // namespace ntq
