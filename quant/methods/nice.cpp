// NICE: "Noise Injection and Clamping Estimation for Neural Network Quantization", Baskin et al. (arXiv 1810.00162), as
// in its code (Lancer555/NICE): layers are quantized one after the other; the current one has noise on some weights.
#include "quant/methods/nice.h"

#include <cmath>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/quantize.h"
#include "engine/ops/random.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/method.h"
#include "quant/oscillation.h"

namespace ntq {

Tensor nice_noised(const Tensor& w, const Tensor& quantized, const Tensor& step, float most, const Tensor& u,
                   const Tensor& mask) {
  const auto values = [&] {
    const Tensor end = scale(step, most);
    const Tensor noised = min(max(add(w, mul(sub(u, 0.5f), step)), neg(end)), end);
    return where(mask, noised, quantized);
  };
  return custom_grad({"nice"}, {w}, values, [](const Tensor& dy) { return std::vector{dy}; });
}

namespace {

constexpr float kLeastClamp = 1e-8f;

struct MeanDeviation {
  double mean = 0, deviation = 0;
};

/// Deviation with n - 1.
MeanDeviation statistics(const QuantSpec& spec, const Tensor& x) {
  double total = 0, squares = 0;
  const std::vector<float> values = x.to_vector();
  for (const float v : values) total += static_cast<double>(v);
  const double n = static_cast<double>(values.size()), mean = total / n;
  for (const float v : values) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
  if (!std::isfinite(squares))
    throw DivergedError(concat(spec.name, ": the first input, ", x.shape(),
                               ", is not finite, so no clamp can be taken from it; check the data and the learning "
                               "rate"));
  return {mean, std::sqrt(squares / std::max(n - 1, 1.0))};
}

/// What both sides share: first values from statistics, and the stage, a function of the run's fraction.
class Staged : public Quantizer {
 public:
  bool ready() const override { return ready_ = ready_ || bound_.item() != 0; }
  int calibration_passes() const override { return 1; }
  void start_pass(int) override { gathering_ = true, batches_ = 0; }
  void end_pass(int) override { gathering_ = false; }
  std::string left_out(const TrainingPlan& plan) const override {
    const double steps = std::ceil(until_ * static_cast<double>(plan.steps));
    if (steps >= static_cast<double>(place().count)) return {};
    return concat(place().count, " stages, one for each layer, do not fit into ", steps, " of ", plan.steps,
                  " steps (stages_until ", until_, "); train longer");
  }

 protected:
  explicit Staged(const QuantSpec& spec) : Quantizer(spec), until_(spec.setting("stages_until").number()) {}
  enum class Turn { later, now, done };
  bool stages_are_over() const { return progress() >= until_; }
  /// Stage t is that of layer t; after the last one all are done.
  Turn turn() const {
    if (!training() || stages_are_over()) return Turn::done;
    const auto stage = static_cast<int64_t>(progress() / until_ * static_cast<double>(place().count));
    return place().index > stage ? Turn::later : place().index == stage ? Turn::now : Turn::done;
  }
  bool first_values_due() const { return gathering_ || !ready(); }
  /// The first value times `factor`; of several inputs their average, as the source's with momentum 0.9.
  void set_bound(double value) {
    average_ = batches_++ == 0 ? value : 0.9 * average_ + 0.1 * value;
    bound_.fill(std::max(static_cast<float>(average_), kLeastClamp));
    ready_ = true;
  }
  void state_loaded() override {
    Quantizer::state_loaded();
    ready_ = false;
  }

  Tensor bound_;  // of the weights: the step; of inputs: the clamp

 private:
  double until_, average_ = 0;
  int64_t batches_ = 0;
  bool gathering_ = false;
  mutable bool ready_ = false;
};

/// Buffer: step {1} = |mean + k deviation| / M of the first weights, fixed; codes -M .. M, M = 2^(b-1) - 1.
class NiceWeights : public Staged {
 public:
  explicit NiceWeights(const QuantSpec& spec)
      : Staged(spec),
        sigmas_(spec.setting("clamp_sigmas").number()),
        share_(spec.setting("noise_share").f32()),
        bias_bits_(static_cast<int>(spec.setting("bias_bits").number())),
        freezes_(spec.setting("freeze_stages").flag()),
        noise_{draw_stream("noise"), draw_stream("mask")},
        bias_noise_{draw_stream("bias_noise"), draw_stream("bias_mask")} {
    bound_ = register_buffer("step", Tensor::zeros({1}));
  }
  QuantRange range() const override {
    const auto most = static_cast<float>((1 << (spec().bits - 1)) - 1);
    return {-most, most};
  }
  CodeGrid grid() const override { return {.range = range(), .step = bound_}; }
  QuantTraits traits() const override { return {.levels = (1 << spec().bits) - 1, .symmetric = true}; }
  std::string left_out(const TrainingPlan& plan) const override {
    return share_ > 0 ? Staged::left_out(plan) : "with noise_share 0 no weight has noise";
  }
  /// Its step is that of weight times input.
  Tensor bias(const Tensor& own, const Quantizer* input) const override {
    if (bias_bits_ == 32 || !input || !input->enabled()) return own;
    const Tensor input_step = input->step();
    if (!input_step) return own;  // levels of another kind
    const Tensor step = mul(input_step.detach(), bound_);
    const float most = std::exp2f(static_cast<float>(bias_bits_ - 1)) - 1;  // more than a byte holds
    const auto whole = [&] { return clamp(round(div(own.detach(), step)), -most, most); };
    return staged(
        own, [&] { return mul(whole(), step); }, step, most, bias_noise_);
  }
  std::optional<bool> trains_layer() const override {
    if (!freezes_) return std::nullopt;
    return stages_are_over() || turn() != Turn::done;
  }

 private:
  struct Streams {
    uint32_t noise, mask;
  };
  Tensor quantized(const Tensor& own) override {
    if (first_values_due()) set_step(own);
    const Tensor w = turn() == Turn::later ? own : steadied(own);
    const auto hard = [&] { return quantize(w.detach(), bound_, {.range = range()}); };
    return staged(w, hard, bound_, range().high, noise_);
  }
  /// What this stage makes of w, of which hard() is the quantized value: levels -most .. most of `step`.
  template <class Hard>
  Tensor staged(const Tensor& w, Hard hard, const Tensor& step, float most, const Streams& streams) const {
    const Turn now = turn();
    if (now == Turn::later) return w;
    if (now == Turn::done) return custom_grad({"nice"}, {w}, hard, [](const Tensor& dy) { return std::vector{dy}; });
    const Tensor u = uniform(w.shape(), draw_key(streams.noise), w.device());
    const Tensor mask = less_equal(uniform(w.shape(), draw_key(streams.mask), w.device()), share_);
    return nice_noised(w, hard(), step, most, u, mask);
  }
  Tensor codes(const Tensor& w) const override { return quantize_codes(w, bound_, range()); }
  void set_step(const Tensor& w) {
    const auto [mean, deviation] = statistics(spec(), w);
    set_bound((std::abs(mean) + sigmas_ * deviation) / static_cast<double>(range().high));
  }

  double sigmas_;
  float share_;
  int bias_bits_;
  bool freezes_;
  Streams noise_, bias_noise_;
};

/// Parameter: clamp {1}; values in [0, clamp], on 2^b levels from this layer's stage on.
class NiceInputs : public Staged {
 public:
  explicit NiceInputs(const QuantSpec& spec) : Staged(spec), sigmas_(spec.setting("act_sigmas").number()) {
    bound_ = register_parameter("clamp", Tensor::zeros({1}), {.floor = kLeastClamp, .most_change = kMostScaleChange});
  }
  CodeGrid grid() const override { return {.range = range(), .step = step_of_clamp().detach()}; }
  std::string left_out(const TrainingPlan& plan) const override {
    const std::string why = Staged::left_out(plan);
    return why.empty() ? "its noise is of weights, which it does not quantize here, or noise_share is 0" : why;
  }

 private:
  Tensor step_of_clamp() const { return div(bound_, range().high); }
  // LSQ's gradients of a step clamp / n are the source's of the clamp: (yq - y) / c inside, 1 above.
  Tensor quantized(const Tensor& x) override {
    if (first_values_due()) {
      const auto [mean, deviation] = statistics(spec(), x);
      set_bound(mean + sigmas_ * deviation);
    }
    if (turn() == Turn::later) return sub(relu(x), relu(sub(x, bound_)));
    return quantize(x, step_of_clamp(), {.range = range()});
  }
  Tensor codes(const Tensor& x) const override { return quantize_codes(x, grid().step, range()); }

  double sigmas_;
};

}  // namespace

QuantMethod nice_method() {
  return {.name = "nice",
          .help =
              "layers quantized one after the other, noise on some weights of the current one, learned clamps of "
              "inputs (Baskin et al., arXiv 1810.00162); inputs that may be negative stay in full precision, "
              "batch norm too",
          .settings = with_oscillation_settings(
              {{.name = "stages_until",
                .standard = 0.5,
                .within = {.low = 0, .high = 1, .open_low = true},
                .help = "share of the run in which the stages pass, one for each layer; then all are quantized "
                        "(the code: 3 of 120 epochs for each of 20 layers)"},
               {.name = "clamp_sigmas",
                .standard = 3.45,
                .within = {.low = 0, .high = 100, .open_low = true},
                .side = Side::weights,
                .help = "range of the weights: |mean| + this many deviations of the first weights"},
               {.name = "noise_share",
                .standard = 0.05,
                .within = {.low = 0, .high = 1},
                .side = Side::weights,
                .help = "share of the current layer's weights with uniform noise; the others are quantized"},
               {.name = "bias_bits",
                .standard = 16,
                .within = {.low = 2, .high = 32},
                .whole = true,
                .side = Side::weights,
                .help = "of biases, whose step is that of weight times input, with noise as the weights; 32, "
                        "and where inputs have no step: full precision"},
               {.name = "freeze_stages",
                .standard = false,
                .side = Side::weights,
                .help = "layers whose stage has passed, their batch norm too, stand still until the last stage "
                        "is over; false: they keep training (the code's default)"},
               {.name = "act_sigmas",
                .standard = 5.0,
                .within = {.low = 0, .high = 100, .open_low = true},
                .side = Side::inputs,
                .help = "first clamp: mean + this many deviations of the first inputs, as the layer gets them "
                        "(the code takes them before the ReLU)"}}),
          .scope = {.signed_inputs = false},
          .make = [](const QuantSpec& spec) -> std::shared_ptr<Quantizer> {
            if (spec.is_weight) return std::make_shared<NiceWeights>(spec);
            return std::make_shared<NiceInputs>(spec);
          }};
}

}  // namespace ntq
