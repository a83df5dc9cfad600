#pragma once
// Uniform quantizer with one learned step per tensor (LSQ), and optionally NTQ's noise on top.
#include "quant/quantizer.h"

namespace ntq {

/// Size of NTQ's noise c exp(-k e) sqrt(e) eps; c == 0: none.
struct NoiseLevel {
  float c = 0, k = 0;
};

/// Parameter: step {1}, 0 until the first forward sets it, as spec.step_init says. Buffer: calls {1} int64, training
/// forwards so far: it numbers the noise, so that a resumed run draws what an uninterrupted one would have drawn.
class StepQuantizer : public Quantizer {
 public:
  explicit StepQuantizer(const QuantSpec& spec, NoiseLevel noise = {});
  /// Throws std::invalid_argument for an empty or non-float input, DivergedError for a step or first input that is not
  /// finite; both name the layer.
  Tensor forward(const Tensor& x) override;
  Tensor step() const override { return step_; }
  /// Throws std::invalid_argument while the step is 0.
  Tensor codes(const Tensor& x) const override;
  /// mean_abs: the step of all inputs together. least_error: the mean of their steps, by their sizes.
  void calibrate(bool on) override;

 private:
  void init_step(const Tensor& x);
  void check_step() const;
  float grad_scale(const Tensor& x) const;

  NoiseLevel noise_;
  uint32_t stream_;
  Tensor step_, calls_;
  bool calibrating_ = false;
  double sum_ = 0, count_ = 0;  // of the inputs that the first step is taken from
};

}  // namespace ntq
