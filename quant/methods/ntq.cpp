// NTQ: "Error-aware Quantization through Noise Tempering" (arXiv 2212.05603): LSQ whose weights get noise in training,
// sized by each weight's quantization error (Eq. 7). The paper defines no noise for activations: input_noise is 0.
#include "quant/methods/ntq.h"

#include "engine/ops/binary.h"
#include "engine/ops/random.h"
#include "engine/ops/unary.h"
#include "quant/step_quantizer.h"

namespace ntq {

Tensor noise_tempered(const Tensor& w, const Tensor& step, const QuantizeArgs& args) {
  const auto& [c, k, key] = args.noise;
  const Tensor q = quantize(w, step, {.range = args.range, .grad_scale = args.grad_scale});
  const Tensor e = abs(sub(q.detach(), w.detach()));
  const Tensor deviation = mul(mul(exp(mul(e, -k)), c), sqrt(e));  // c exp(-k e) sqrt(e)
  return add(q, mul(deviation, standard_normal(w.shape(), key)));  // no gradient but that of q
}

namespace {

class NtqQuantizer : public StepQuantizer {
 public:
  explicit NtqQuantizer(const QuantSpec& spec) : StepQuantizer(spec) {
    const char *level = spec.is_weight ? "noise" : "input_noise", *k = spec.is_weight ? "noise_k" : "input_noise_k";
    noise_ = {.c = spec.setting(level).f32(), .k = spec.setting(k).f32(), .key = {}};
    if (noise_.c > 0) stream_ = draw_stream("noise");
  }

  std::optional<PlainSteps> plain_steps(const Tensor& x) const override { return own_steps(x); }

  std::string left_out(const TrainingPlan&) const override { return noise_.c > 0 ? "" : "without noise it is lsq"; }

  void on_rate(const LearningRate& rate) override {
    const std::string& what = spec().setting("noise_lr").word();
    factor_ = what == "share" ? rate.share : what == "rate" ? rate.value : 1.0f;
  }

 private:
  // So that quantized() is noise_tempered() in one pass, to the bit.
  QuantizeArgs args_of(const Tensor& x) const override {
    QuantizeArgs args = StepQuantizer::args_of(x);
    if (training() && noise_.c * factor_ > 0) {
      args.noise = noise_;
      args.noise.c *= factor_;
      args.noise.key = draw_key(stream_);
    }
    return args;
  }

  QuantNoise noise_;
  float factor_ = 1;
  uint32_t stream_ = 0;
};

}  // namespace

QuantMethod ntq_method() {
  std::vector<Setting> settings = {
      {.name = "noise",
       .standard = 0.2,
       .within = {.low = 0, .high = 1, .open_high = true},
       .side = Side::weights,
       .help = "noise level c; 0 is LSQ to the bit"},
      {.name = "noise_k",
       .standard = 50.0,
       .within = {.low = 0, .high = 1e6},
       .side = Side::weights,
       .help = "tempering k: larger errors get less noise",
       .idle = idle_with("noise", 0)},
      {.name = "noise_lr",
       .standard = "none",
       .words = {"none", "share", "rate"},
       .help = "factor of the noise (section 3.3: the rate scales the temperature; Eq. 7 "
               "has none): the learning rate's share of its highest, or the rate itself",
       .idle = [](const QuantSpec& spec) { return idle_with(spec.is_weight ? "noise" : "input_noise", 0)(spec); }},
      {.name = "input_noise",
       .standard = 0.0,
       .within = {.low = 0, .high = 1, .open_high = true},
       .side = Side::inputs,
       .help = "noise level c of activations; the paper defines noise on weights alone"},
      {.name = "input_noise_k",
       .standard = 50.0,
       .within = {.low = 0, .high = 1e6},
       .side = Side::inputs,
       .help = "tempering k of activations",
       .idle = idle_with("input_noise", 0)}};
  for (Setting& setting : step_settings()) settings.push_back(std::move(setting));
  return {.name = "ntq",
          .help = "LSQ with error-sized noise on the weights in training (arXiv 2212.05603)",
          .settings = std::move(settings),
          .scope = {.per_channel = true},
          .make = [](const QuantSpec& spec) { return std::make_shared<NtqQuantizer>(spec); }};
}

}  // namespace ntq
