#pragma once
// The quantization settings of a TrainConfig: --quant, its short forms, and what each side of a layer gets.
#include "apps/config.h"
#include "quant/method.h"

namespace ntq::apps {

/// --method, or --act-method (--quant act.method) for activations.
std::string method_of(const TrainConfig& config, Side side);
/// Every setting of the weights' or the activations' method: as given, else its default. Activations of the same method
/// take what the weights take, unless --quant act.KEY says otherwise; --noise, --noise-k and --step-init mean both.
Settings settings_of(const TrainConfig& config, Side side);
/// Throws UsageError for settings that the methods do not have or allow, and for a short form beside another value.
void validate_quant(const TrainConfig& config);
/// config.quant as all settings that have an effect, the short forms in it, so that equal recipes have equal JSON.
void resolve_quant(TrainConfig& config);
/// --noise and its like: visit(name of the setting and of the JSON key, field&).
template <class Config, class Visitor>
void for_each_short_form(Config& c, Visitor&& visit) {
  visit("noise", c.noise);
  visit("noise_k", c.noise_k);
  visit("step_init", c.step_init);
}
/// Whether a setting of a resolved config has its method's default, or is of no quantizer.
bool is_standard(const TrainConfig& config, const std::string& key);
/// Why a setting of a resolved config, "act." before it for activations alone, changes nothing in any of its
/// quantizers: "with noise 0"; empty: it may.
std::string idle_reason(const TrainConfig& config, const std::string& key);
/// "noise=0.2, noise_k=50": of a resolved config.
std::string quant_text(const TrainConfig& config);

}  // namespace ntq::apps
