#include "apps/config_quant.h"

#include <algorithm>

#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

constexpr std::string_view kActivations = "act.", kMethod = "act.method";

const Setting* find_setting(const QuantMethod& method, const std::string& name) {
  const auto found = std::find_if(method.settings.begin(), method.settings.end(),
                                  [&](const Setting& setting) { return setting.name == name; });
  return found == method.settings.end() ? nullptr : &*found;
}

/// The short forms that are given.
Settings short_forms(const TrainConfig& c) {
  Settings out;
  if (c.noise) out.emplace("noise", *c.noise);
  if (c.noise_k) out.emplace("noise_k", *c.noise_k);
  if (c.step_init) out.emplace("step_init", *c.step_init);
  return out;
}

/// Of the whole model, or the activations' own without "act.".
Settings given(const TrainConfig& c, Side side) {
  Settings out;
  for (const auto& [key, value] : c.quant) {
    const bool own = key.starts_with(kActivations);
    if (own != (side == Side::inputs) || key == kMethod) continue;
    out.emplace(own ? key.substr(kActivations.size()) : key, value);
  }
  return out;
}

/// What a method is told: short forms where it has them, then the settings.
Settings told(const TrainConfig& c, Side side) {
  const QuantMethod& method = quant_method(method_of(c, side));
  Settings out;
  for (const auto& [key, value] : short_forms(c)) {
    if (find_setting(method, key) != nullptr) out.emplace(key, value);
  }
  const auto add = [&](const Settings& more) {
    for (const auto& [key, value] : more) out.insert_or_assign(key, value);
  };
  if (method.name == c.method) add(given(c, Side::weights));
  if (side == Side::inputs) add(given(c, Side::inputs));
  return out;
}

std::string option_name(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

void check_short_forms(const TrainConfig& c) {
  for (const auto& [key, value] : short_forms(c)) {
    for (const Side side : {Side::weights, Side::inputs}) {
      const QuantMethod& method = quant_method(method_of(c, side));
      const Setting* setting = find_setting(method, key);
      if (setting == nullptr) continue;
      const auto meant = accepted(*setting, value);
      if (!meant) {
        throw UsageError(concat(option_name(key), ": expected ", allowed_text(*setting), ", found ", value.str(),
                                "; settings of ", method.name, ": ", settings_text(method)));
      }
      const auto same = c.quant.find(key);
      if (same == c.quant.end() || method.name != c.method || accepted(*setting, same->second) == meant) continue;
      throw UsageError(concat(option_name(key), " ", value.str(), " and --quant ", key, "=", same->second.str(),
                              ": expected one value, found two"));
    }
  }
}

}  // namespace

const std::vector<std::string>& short_settings() {
  static const std::vector<std::string> names = {"noise", "noise_k", "step_init"};
  return names;
}

std::string method_of(const TrainConfig& c, Side side) {
  if (side == Side::inputs && c.act_method) return *c.act_method;
  const auto own = side == Side::inputs ? c.quant.find(std::string(kMethod)) : c.quant.end();
  return own == c.quant.end() ? c.method : own->second.str();
}

Settings settings_of(const TrainConfig& c, Side side) {
  return complete_settings(quant_method(method_of(c, side)), side == Side::weights, told(c, side));
}

void validate_quant(const TrainConfig& c) {
  const auto names = quantizer_names();
  const std::string own = method_of(c, Side::inputs);
  const auto same = c.quant.find(std::string(kMethod));
  if (c.act_method && same != c.quant.end() && same->second.str() != own) {
    throw UsageError(concat("--act-method ", printable(own, 80), " and --quant act.method=",
                            printable(same->second.str(), 80), ": expected one value, found two"));
  }
  if (std::find(names.begin(), names.end(), own) == names.end()) {
    throw UsageError(concat(c.act_method ? "--act-method" : "--quant act.method", ": expected one of ", join(names),
                            "; found ", in_quotes(own)));
  }
  check_short_forms(c);
  try {
    complete_settings(quant_method(c.method), true, given(c, Side::weights));
    settings_of(c, Side::inputs);
  } catch (const std::invalid_argument& e) {
    throw UsageError(concat("--quant ", e.what()));
  }
  const QuantMethod& method = quant_method(own);
  for (const auto& entry : given(c, Side::inputs)) {
    const Setting* setting = find_setting(method, entry.first);
    if (setting == nullptr || concerns(*setting, false)) continue;
    throw UsageError(concat("--quant act.", entry.first, ": ", own, " has it for weights alone; settings of ", own,
                            ": ", settings_text(method)));
  }
}

void resolve_quant(TrainConfig& c) {
  Settings out;
  if (c.bits_of_weights() < 32) out = settings_of(c, Side::weights);
  if (c.bits_of_activations() < 32) {
    const std::string own = method_of(c, Side::inputs);
    const bool same = own == c.method;
    if (!same) out.emplace(kMethod, own);
    for (const auto& [key, value] : settings_of(c, Side::inputs)) {
      if (same && out.emplace(key, value).first->second == value) continue;
      out.emplace(std::string(kActivations) + key, value);
    }
  }
  c.quant = std::move(out);
  c.noise.reset(), c.noise_k.reset(), c.step_init.reset(), c.act_method.reset();
  c.per_channel = c.per_channel && c.bits_of_weights() < 32;
}

std::string quant_text(const TrainConfig& c) {
  std::vector<std::string> texts;
  for (const auto& [key, value] : c.quant) texts.push_back(key + "=" + value.str());
  return join(texts);
}

}  // namespace ntq::apps
