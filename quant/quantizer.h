#pragma once
// Quantizer: a module that maps a float tensor to quantized float values while training, and to integer codes after.
#include <memory>
#include <optional>
#include <string>

#include "engine/module.h"
#include "engine/ops/kept_codes.h"
#include "engine/random.h"
#include "quant/setting.h"

namespace ntq {

class Oscillation;

/// What one quantizer does. bits 32 means none at all (full precision). make_quantizer (method.h) checks it.
struct QuantSpec {
  std::string method = "ntq";
  int bits = 32;             ///< 2..8, or 32
  bool is_signed = true;     ///< two's complement range; false where nothing is negative, as behind a ReLU
  bool is_weight = true;     ///< of a weight, else of a layer's input
  bool per_channel = false;  ///< of a weight: a step for each slice of its first axis
  Shape shape = {};          ///< of the weight; the layer fills it in
  uint64_t seed = 0;         ///< of what is drawn
  std::string name = {};     ///< dotted layer name: the draws' stream (drawing_name() without one), errors
  Settings settings = {};    ///< of the method; those that are missing take its defaults

  /// Throws std::invalid_argument for a setting that the method has not declared for this side.
  const SettingValue& setting(const std::string& key) const;
};

/// What holds of a method's values in evaluation: what its tests may ask for.
struct QuantTraits {
  int levels = 0;            ///< different values, at most; in one channel
  bool zero_on_grid = true;  ///< Q(0) = 0
  bool idempotent = true;    ///< Q(Q(x)) = Q(x)
  bool symmetric = false;    ///< Q(-x) = -Q(x), but for ties
  bool codes = true;         ///< one byte and one grid hold the values; without, encode() refuses
};

/// ParamTraits::most_change of steps and other scales. In the first updates of a 2-bit network, whose loss is high, one
/// can be of a step's own size. A step that falls to its floor clips all weights; batch norm makes of that a gradient
/// as large as the step is small, and the layer, thrown thousands of times too far, is lost.
constexpr float kMostScaleChange = 2;

/// Where a quantizer stands: its layer among those that have quantizers, in the model's order.
struct LayerPlace {
  int64_t index = 0, count = 1;
};

/// Of the next step, and as a share of the run's highest, in [0, 1].
struct LearningRate {
  float value = 0, share = 1;
};

/// A training before it starts.
struct TrainingPlan {
  int64_t steps = 1;         ///< of the optimizer
  bool after_wider = false;  ///< its weights come from, or are the first of, trainings of one width after the other
};

/// Forward gives the values to compute with: noisy in training if the method says so, plain in evaluation. What a
/// method writes stands under "protected"; all else has a default that does nothing.
class Quantizer : public Module {
 public:
  const QuantSpec& spec() const { return spec_; }
  /// Integers that codes may take. Signed b bits: [-2^(b-1), 2^(b-1)-1]; unsigned: [0, 2^b - 1].
  virtual QuantRange range() const;
  /// Of x's type, float32 or bfloat16. Throws std::invalid_argument, naming the layer, for another one, or an empty
  /// input.
  Tensor forward(const Tensor& x) final;
  /// Codes of x (bytes, its shape) and what decodes them to what forward() gives in evaluation. Throws
  /// std::invalid_argument while not ready() and for methods without codes, DivergedError for values or a grid that are
  /// not finite.
  Codes encode(const Tensor& x) const;
  /// Those codes alone, where ready(), and nothing checked: for a look at each training step, which must not wait for a
  /// device.
  Tensor unchecked_codes(const Tensor& x) const;
  /// What decodes the codes; empty for methods without.
  virtual CodeGrid grid() const = 0;
  /// Value of one code step; undefined for methods with a level table.
  Tensor step() const { return grid().step; }
  /// Where forward(x) gives quantize(x, step, args), once it has set what is not ready(), and does nothing else, in
  /// training too: what an op needs to keep codes in place of values, or nothing. No steps: forward() is the only way.
  virtual std::optional<PlainSteps> plain_steps(const Tensor& x) const {
    static_cast<void>(x);
    return std::nullopt;
  }
  /// What is rounded of x: its transform(); weights that are frozen at the middle of their codes, without a gradient.
  Tensor transformed(const Tensor& x) const;
  virtual QuantTraits traits() const { return {.levels = 1 << spec_.bits}; }

  /// Whether the values that the first inputs set are there. A flag of the host: at most the first call after
  /// construction or loading reads memory of a device.
  virtual bool ready() const { return true; }
  /// Passes over some batches from which the first values are taken; 0: none are needed.
  virtual int calibration_passes() const { return 0; }
  /// Until end_pass(), forward() in evaluation mode gathers what pass 0, 1, ... has to know.
  virtual void start_pass(int pass) { static_cast<void>(pass); }
  virtual void end_pass(int pass) { static_cast<void>(pass); }

  /// Before a training that begins from a network of other bits: takes what `other`, of the same place, has learned
  /// that does not depend on them. False: nothing, so that first values are set anew.
  virtual bool take_over(const Quantizer& other) {
    static_cast<void>(other);
    return false;
  }

  /// Of a weight: what its layer computes with in place of the bias. `input` quantizes the layer's input; may
  /// be null.
  virtual Tensor bias(const Tensor& own, const Quantizer* input) const {
    static_cast<void>(input);
    return own;
  }
  /// Whether the layer's parameters, and those behind it up to the next layer with quantizers, are trained now;
  /// nothing: not for this method to say. Asked after set_progress().
  virtual std::optional<bool> trains_layer() const { return std::nullopt; }
  /// An addition to the loss, {1}; undefined: none. By default the dampening of steadied().
  virtual Tensor penalty() const;
  /// How much of the training is done, in [0, 1]; set before each step.
  double progress() const { return progress_; }
  void set_progress(double fraction) { progress_ = fraction; }
  /// Why this quantizer does nothing of what its method is named for in such a training; empty: it does. Asked after
  /// set_place().
  virtual std::string left_out(const TrainingPlan& plan) const {
    static_cast<void>(plan);
    return {};
  }
  /// Told before each step of training.
  virtual void on_rate(const LearningRate& rate) { static_cast<void>(rate); }
  /// Told when an optimizer step has changed the parameters.
  virtual void after_step() {}
  /// Set before each step and before left_out(): for methods that treat one layer after the other.
  void set_place(LayerPlace place) { place_ = place; }
  /// Bits to a value where the method learns them: the mean.
  virtual std::optional<double> learned_bits() const { return std::nullopt; }
  /// Bits that so many quantized values take, with all that decodes them.
  virtual double stored_bits(int64_t values) const;
  /// Optimizer steps that this quantizer has seen: they number the draws. Buffer "calls" {1} int64.
  int64_t training_step() const;
  void set_training_step(int64_t step);

  /// Off: the layer that owns the quantizer computes in full precision.
  void enable(bool on) { enabled_ = on; }
  bool enabled() const { return enabled_; }

 protected:
  explicit Quantizer(QuantSpec spec);
  /// What happens to x before it is quantized, in ops (or custom_grad), so with its own gradient: DoReFa's tanh, LCQ's
  /// normalisation. All below gets the result.
  virtual Tensor transform(const Tensor& x) const { return x; }
  /// The values to compute with, of a transformed input.
  virtual Tensor quantized(const Tensor& x) = 0;
  /// Whether transform() and quantized() take values stored as bfloat16, and give such. All others get them as float32,
  /// and what they give is rounded.
  virtual bool takes_bf16() const { return false; }
  /// The codes of a transformed input, one byte each, in range(): int8 where signed, else uint8. Undefined for methods
  /// without.
  virtual Tensor codes(const Tensor& x) const = 0;

  /// For quantized() of a method with oscillation_settings() (oscillation.h), once the grid is set: in training a look
  /// at the transformed weights; gives them with those that are frozen at the middle of their codes.
  Tensor steadied(const Tensor& x);
  /// Whether steadied() does anything.
  bool steadies() const { return oscillation_ != nullptr; }
  /// Where codes lie in transformed weights, evenly: by default as in the values.
  virtual CodeGrid even_grid() const { return grid(); }

  /// For random numbers: the stream, to be asked for once, in the constructor; and the key of the current step. The
  /// same draws until the next optimizer step, and the same again after a resume.
  uint32_t draw_stream(const std::string& what) const;
  RandomKey draw_key(uint32_t stream) const;
  void state_loaded() override;
  const LayerPlace& place() const { return place_; }
  /// Throws DivergedError, naming the layer: no first value can be taken from `x`.
  [[noreturn]] void first_input_not_finite(const Tensor& x) const;

 private:
  QuantSpec spec_;
  LayerPlace place_;
  double progress_ = 0;
  std::shared_ptr<Oscillation> oscillation_;  // none where there is nothing to look for
  Tensor calls_;
  mutable std::optional<int64_t> steps_;  // the value of calls_
  bool enabled_ = true;
};

/// What a layer does with its quantizer: quantized values, or `x` itself without one or while it is off.
inline Tensor apply_quantizer(const std::shared_ptr<Quantizer>& quantizer, const Tensor& x) {
  return quantizer && quantizer->enabled() ? quantizer->forward(x) : x;
}

}  // namespace ntq
