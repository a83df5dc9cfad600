#pragma once
// A quantizer whose first values come from its first input, or from the batches of a calibration together.
#include "quant/method.h"

namespace ntq {

/// Of all elements of the first inputs.
struct InputStatistics {
  double count = 0, sum = 0, sum_abs = 0, sum_squares = 0, least = 0, most = 0;
  double mean_abs() const { return sum_abs / count; }
  /// sqrt(sum (x - mean)^2 / (n - 1))
  double deviation() const;
  double largest() const;
};

class FirstInputQuantizer : public Quantizer {
 public:
  bool ready() const override;
  int calibration_passes() const override { return 1; }
  void start_pass(int pass) override;
  void end_pass(int pass) override;

 protected:
  using Quantizer::Quantizer;
  /// A tensor {1} of the state that is 0 until set_first_values() changes it; to be told in the constructor.
  void zero_until_ready(const Tensor& value) { marker_ = value; }
  /// Sets parameters and buffers, the marker among them; again for each batch of a calibration, of all so far.
  virtual void set_first_values(const InputStatistics& seen) = 0;
  /// To be called with each input before it is quantized. Throws DivergedError, naming the layer, for a first input
  /// that is not finite.
  void prepare(const Tensor& x);
  void state_loaded() override;

 private:
  Tensor marker_;
  mutable bool ready_ = false;  // known to be set
  bool calibrating_ = false;
  InputStatistics seen_;
};

/// y, but not a number where x is not finite: clipping must not hide a divergence.
Tensor with_bad_values_of(const Tensor& x, const Tensor& y);

}  // namespace ntq
