#pragma once
// Quantizer: a module that maps a float tensor to quantized float values while training, and to integer codes after.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/module.h"

namespace ntq {

/// Where the first step comes from.
enum class StepInit {
  mean_abs,  ///< 2 mean|x| / sqrt(Q_P), LSQ's: too small for sparse activations at 2 bits, which then mostly saturate
  least_error,  ///< the step with the least squared error, as LSQ+ starts its activations (arXiv 2004.09576)
};

/// What one quantizer does. bits 32 means none at all (full precision).
struct QuantSpec {
  std::string method = "ntq";
  int bits = 32;          ///< 2..8, or 32
  bool is_signed = true;  ///< two's complement range; activations behind a ReLU are unsigned
  bool is_weight = true;  ///< noise is for weights only
  float noise_c = 0.2f;   ///< NTQ: noise level c, in [0, 1); 0 is LSQ to the bit
  float noise_k = 50.0f;  ///< NTQ: tempering k, >= 0
  uint64_t seed = 0;      ///< of the noise
  std::string name = {};  ///< dotted layer name: the noise's stream (drawing_name() without one), errors
  /// LSQ's N in g = 1/sqrt(N Q_P) for activations: features of one sample (default) or the whole batch too.
  bool count_batch = false;
  StepInit step_init = StepInit::mean_abs;
};

/// Forward gives the values to compute with: noisy in training if the method says so, plain in evaluation.
class Quantizer : public Module {
 public:
  const QuantSpec& spec() const { return spec_; }
  /// Integers that codes() may hold. Signed b bits: [-2^(b-1), 2^(b-1)-1]; unsigned: [0, 2^b - 1].
  QuantRange range() const;
  /// Value of one code step, one element {1}; 0 before the first batch has set it.
  virtual Tensor step() const = 0;
  /// Integer codes (int32, shape of x); value = step * code.
  virtual Tensor codes(const Tensor& x) const = 0;
  /// While on, forward() in evaluation mode sets the step from all inputs since it was turned on. Methods that need no
  /// first step do nothing.
  virtual void calibrate(bool on) { static_cast<void>(on); }

  /// Off: the layer that owns the quantizer computes in full precision.
  void enable(bool on) { enabled_ = on; }
  bool enabled() const { return enabled_; }

 protected:
  explicit Quantizer(QuantSpec spec);

 private:
  QuantSpec spec_;
  bool enabled_ = true;
};

/// What a layer does with its quantizer: quantized values, or `x` itself without one or while it is off.
inline Tensor apply_quantizer(const std::shared_ptr<Quantizer>& quantizer, const Tensor& x) {
  return quantizer && quantizer->enabled() ? quantizer->forward(x) : x;
}

using QuantizerFactory = std::function<std::shared_ptr<Quantizer>(const QuantSpec&)>;

/// Adds a method; throws std::invalid_argument when the name is taken. Call it before building models.
void register_quantizer(const std::string& name, QuantizerFactory factory);
/// Names of all methods, sorted; "fp" (full precision) is not one, as it needs no quantizer.
std::vector<std::string> quantizer_names();
/// Null for bits 32; throws std::invalid_argument for an unknown method, bits outside 2..8 or settings out of range.
std::shared_ptr<Quantizer> make_quantizer(const QuantSpec& spec);

}  // namespace ntq
