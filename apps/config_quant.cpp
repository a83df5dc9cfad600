#include "apps/config_quant.h"

#include <algorithm>
#include <set>

#include "apps/text.h"
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
  for_each_short_form(c, [&](const char* key, const auto& field) {
    if (field) out.emplace(key, *field);
  });
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

/// Bits of the quantized layers of a side, each once.
std::set<int> widths_of(const TrainConfig& c, Side side) {
  const bool weights = side == Side::weights;
  const int64_t bits = weights ? c.bits_of_weights() : c.bits_of_activations();
  std::set<int> out{static_cast<int>(bits)};
  if (bits < 32 && c.first_last_bits) out.insert(static_cast<int>(*c.first_last_bits));
  if (!weights && c.skip_bits) out.insert(static_cast<int>(*c.skip_bits));
  for (const auto& [layer, text] : c.bits_of) {
    const LayerBits own = parse_layer_bits("--bits-of " + layer, text);
    if (const auto& of_side = weights ? own.weight : own.activation) out.insert(*of_side);
  }
  out.erase(32);
  return out;
}

[[noreturn]] void refuse(const std::string& option, const QuantMethod& method, const std::string& why) {
  throw UsageError(concat(option, ": ", why, "; settings of ", method.name, ": ", settings_text(method)));
}

std::string other_value(const Setting& setting, const SettingValue& found) {
  return concat("expected ", allowed_text(setting), ", found ",
                found.is_word() ? in_quotes(found.word()) : found.str());
}

void check_short_forms(const TrainConfig& c) {
  for (const auto& [key, value] : short_forms(c)) {
    for (const Side side : {Side::weights, Side::inputs}) {
      const QuantMethod& method = quant_method(method_of(c, side));
      const Setting* setting = find_setting(method, key);
      if (setting == nullptr) continue;
      const auto meant = accepted(*setting, value);
      if (!meant) refuse(option_name(key), method, other_value(*setting, value));
      const auto same = c.quant.find(key);
      if (same == c.quant.end() || method.name != c.method || accepted(*setting, same->second) == meant) continue;
      throw UsageError(concat(option_name(key), " ", value.str(), " and --quant ", key, "=", same->second.str(),
                              ": expected one value, found two"));
    }
  }
}

void check_given(const TrainConfig& c, Side side) {
  const QuantMethod& method = quant_method(method_of(c, side));
  for (const auto& [key, value] : given(c, side)) {
    const std::string option = concat("--quant ", side == Side::inputs ? kActivations : "", printable(key, 80));
    const Setting* setting = find_setting(method, key);
    if (setting == nullptr) {
      std::vector<std::string> names;
      for (const Setting& s : method.settings) names.push_back(s.name);
      const std::string guess = nearest(key, names);
      refuse(
          option, method,
          concat("method ", method.name, " has no such setting", guess.empty() ? "" : ", did you mean " + guess + "?"));
    }
    if (!accepted(*setting, value)) refuse(option, method, other_value(*setting, value));
    if (side == Side::inputs && !concerns(*setting, false)) refuse(option, method, "it is of weights alone");
  }
}

void check_sides(const TrainConfig& c) {
  const auto option = [&](Side side) {
    if (side == Side::weights || method_of(c, side) == c.method) return "--method " + c.method;
    return "--act-method " + method_of(c, side);
  };
  for (const Side side : {Side::weights, Side::inputs}) {
    const QuantScope& scope = quant_method(method_of(c, side)).scope;
    const bool takes = side == Side::weights ? scope.weights : scope.signed_inputs || scope.unsigned_inputs;
    if (takes || !c.quantizes(side)) continue;
    throw UsageError(concat(option(side), side == Side::weights
                                              ? ": quantizes activations alone; give weights another --method, or "
                                                "--weight-bits 32"
                                              : ": quantizes weights alone; give activations another method "
                                                "(--act-method NAME), or --act-bits 32"));
  }
}

}  // namespace

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
  check_given(c, Side::weights);
  check_given(c, Side::inputs);
  check_short_forms(c);
  check_sides(c);
}

void resolve_quant(TrainConfig& c) {
  Settings out;
  if (c.quantizes(Side::weights)) out = settings_of(c, Side::weights);
  if (c.quantizes(Side::inputs)) {
    const std::string own = method_of(c, Side::inputs);
    const bool same = own == c.method;
    if (!same) out.emplace(kMethod, own);
    for (const auto& [key, value] : settings_of(c, Side::inputs)) {
      if (same && out.emplace(key, value).first->second == value) continue;
      out.emplace(std::string(kActivations) + key, value);
    }
  }
  c.quant = std::move(out);
  for_each_short_form(c, [](const char*, auto& field) { field.reset(); });
  c.act_method.reset();
  c.per_channel = c.per_channel && c.quantizes(Side::weights);
}

bool is_standard(const TrainConfig& c, const std::string& key) {
  const auto found = c.quant.find(key);
  if (found == c.quant.end() || key == kMethod) return true;
  const bool own = key.starts_with(kActivations);
  const Setting* setting = find_setting(quant_method(method_of(c, own ? Side::inputs : Side::weights)),
                                        own ? key.substr(kActivations.size()) : key);
  return setting == nullptr || found->second == setting->standard;
}

std::string idle_reason(const TrainConfig& c, const std::string& key) {
  const bool inputs_alone = key.starts_with(kActivations);
  if (inputs_alone && !c.quantizes(Side::inputs)) return "on activations in full precision";
  if (key == kMethod) return "";
  const std::string name = inputs_alone ? key.substr(kActivations.size()) : key, own = method_of(c, Side::inputs);
  const bool same = inputs_alone || (own == c.method && !c.quant.contains(concat(kActivations, name)));
  std::string reason = same || find_setting(quant_method(c.method), name) == nullptr
                           ? "on --method " + c.method
                           : "on activations of method " + own;
  for (const Side side : {Side::inputs, Side::weights}) {
    const bool weights = side == Side::weights;
    if (weights ? inputs_alone : !same) continue;
    const QuantMethod& method = quant_method(method_of(c, side));
    const Setting* setting = find_setting(method, name);
    if (setting == nullptr || !concerns(*setting, weights)) continue;
    reason = "on what is in full precision";
    for (const int bits : widths_of(c, side)) {
      const std::string why = setting->idle ? setting->idle({.method = method.name,
                                                             .bits = bits,
                                                             .is_signed = weights,
                                                             .is_weight = weights,
                                                             .per_channel = weights && c.per_channel,
                                                             .settings = settings_of(c, side)})
                                            : "";
      if (why.empty()) return "";
      reason = why;
    }
  }
  return reason;
}

std::string quant_text(const TrainConfig& c) {
  std::vector<std::string> texts;
  for (const auto& [key, value] : c.quant) texts.push_back(key + "=" + value.str());
  return join(texts);
}

}  // namespace ntq::apps
