#pragma once
// Uniform quantizer whose range is observed, not learned: min-max and what is built on it.
#include <utility>

#include "quant/method.h"

namespace ntq {

/// What the range does behind the first one.
enum class Follow {
  frozen,   ///< stays
  current,  ///< that of each training input: weights
  average,  ///< moves towards it by `rate`
  widest    ///< grows to hold it
};

struct RangeOptions {
  /// A code for each of 2^b values from low <= 0 to high >= 0, 0 among them. Else codes lie as far below 0 as above it:
  /// +-(2^(b-1) - 1) for signed values, and 0 .. 2^b - 1 for others.
  bool asymmetric = false;
  Follow follow = Follow::frozen;
  float rate = 0.01f;
};

/// Buffers: low and high {1}, or {C} for spec.per_channel (symmetric ones alone); both 0 until the first forward or
/// calibration. step = (high - low) / (number of steps). Weights may have oscillation_settings(). Gradient: straight
/// through within [low, high], 0 outside; none for the range.
class RangeQuantizer : public Quantizer {
 public:
  RangeQuantizer(const QuantSpec& spec, const RangeOptions& options);
  QuantRange range() const override;
  CodeGrid grid() const override;
  QuantTraits traits() const override;
  bool ready() const override;
  /// One pass: the widest range of the batches.
  int calibration_passes() const override { return 1; }
  void start_pass(int pass) override;
  void end_pass(int pass) override;

 protected:
  using Ends = std::pair<Tensor, Tensor>;
  /// What `x` alone asks for, in the shape of the buffers: by default from its smallest to its largest value.
  virtual Ends ends_of(const Tensor& x) const;
  /// Of the first range and of what `x`, `weight` of all so far, asks for.
  virtual Ends joined(const Ends& so_far, const Ends& more, float weight) const;
  bool two_sided() const { return spec().is_signed && !options_.asymmetric; }

 private:
  Tensor quantized(const Tensor& x) override;
  Tensor codes(const Tensor& x) const override;
  void state_loaded() override;
  void observe(const Tensor& x);
  void set(const Ends& ends);

  RangeOptions options_;
  Tensor low_, high_;
  mutable bool ready_ = false;  // known to be set
  bool calibrating_ = false;
  double seen_ = 0;  // elements that calibration has seen
};

}  // namespace ntq
