#include "quant/method.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/printable.h"
#include "base/text.h"
#include "quant/methods/builtin.h"

namespace ntq {
namespace {

using Registry = std::map<std::string, QuantMethod>;

void check_settings(const QuantMethod& method) {
  for (auto setting = method.settings.begin(); setting != method.settings.end(); ++setting) {
    const auto same = [&](const Setting& other) { return other.name == setting->name; };
    check(!setting->name.empty() && setting->name.find('.') == std::string::npos && setting->name != "method" &&
              std::none_of(method.settings.begin(), setting, same),
          "register_quantizer: method '", method.name, "': '", setting->name, "' cannot name a setting, or names two");
    check(accepted(*setting, setting->standard).has_value(), "register_quantizer: method '", method.name,
          "': the default of ", setting->name, " is not allowed: ", setting->standard.str());
  }
}

Registry& registry() {
  static Registry methods = [] {
    Registry all;
    for (QuantMethod& method : builtin_methods()) {
      check_settings(method);
      all.emplace(method.name, std::move(method));
    }
    return all;
  }();
  return methods;
}

void check_scope(const QuantSpec& spec, const QuantMethod& method) {
  const QuantScope& scope = method.scope;
  const int least = scope.least_bits, most = scope.most_bits;
  check(spec.bits >= least && spec.bits <= most, "bits must be ", least, least == most ? "" : concat(" to ", most),
        ", or 32 for full precision, found ", spec.bits, least == 2 && most == 8 ? "" : " for " + method.name);
  const bool taken = spec.is_weight ? scope.weights : spec.is_signed ? scope.signed_inputs : scope.unsigned_inputs;
  check(taken, method.name, " does not quantize ",
        spec.is_weight   ? "weights"
        : spec.is_signed ? "inputs that may be negative"
                         : "inputs without negative values",
        "; give them another method, or bits 32");
  check(!spec.per_channel || scope.per_channel, method.name,
        " has no steps per channel; one step for the layer, or another method");
  check(!spec.per_channel || (spec.is_weight && spec.shape.rank() >= 1),
        "steps per channel are for weights of a known shape");
}

std::string place_of(const QuantSpec& spec) { return spec.name.empty() ? "quantizer" : spec.name; }

}  // namespace

void register_quantizer(QuantMethod method) {
  const std::string name = method.name;
  check(!name.empty() && name != "fp", "register_quantizer: '", name, "' cannot name a method; 'fp' stands for none");
  check(method.make != nullptr, "register_quantizer: method '", name, "' has no factory");
  check_settings(method);
  check(registry().emplace(name, std::move(method)).second, "register_quantizer: method '", name,
        "' is registered already; choose another name (taken: ", join(quantizer_names()), ")");
}

std::vector<std::string> quantizer_names() {
  std::vector<std::string> names;
  for (const auto& entry : registry()) names.push_back(entry.first);
  return names;
}

const QuantMethod& quant_method(const std::string& name) {
  const auto method = registry().find(name);
  check(method != registry().end(), "no quantization method '", name, "'; there are: ", join(quantizer_names()),
        " (full precision is bits 32)");
  return method->second;
}

std::string settings_text(const QuantMethod& method) {
  std::string out;
  for (const Setting& s : method.settings) {
    out += concat(out.empty() ? "" : ", ", s.name, ": ", allowed_text(s), " [", s.standard.str(), "]");
  }
  return out.empty() ? "none" : out;
}

std::string describe(const QuantMethod& method) {
  constexpr size_t kColumn = 28;
  std::string out = concat(method.name, ": ", method.help, "\n");
  for (const Setting& s : method.settings) {
    const char* kind = s.standard.is_word() ? "NAME" : s.standard.is_flag() ? "true" : s.whole ? "N" : "X";
    std::string option = concat("  --quant ", s.name, "=", kind);
    option.resize(std::max(option.size() + 1, kColumn), ' ');
    const char* side = s.side == Side::weights ? " (weights)" : s.side == Side::inputs ? " (activations)" : "";
    out +=
        concat(option, s.help, "\n", std::string(kColumn, ' '), allowed_text(s), side, " [", s.standard.str(), "]\n");
  }
  return out + (method.settings.empty() ? "  has no settings\n" : "");
}

Settings complete_settings(const QuantMethod& method, bool weights, const Settings& given) {
  const auto ending = [&] { return concat("; settings of ", method.name, ": ", settings_text(method)); };
  Settings out;
  std::set<std::string> known;
  for (const Setting& setting : method.settings) {
    known.insert(setting.name);
    const auto found = given.find(setting.name);
    const auto value = accepted(setting, found == given.end() ? setting.standard : found->second);
    check(value.has_value(), setting.name, ": expected ", allowed_text(setting), ", found ",
          in_quotes(found == given.end() ? "" : found->second.str()), ending());
    if (concerns(setting, weights)) out.emplace(setting.name, *value);
  }
  for (const auto& entry : given) {
    check(known.contains(entry.first), "method ", method.name, " has no setting ", in_quotes(entry.first), ending());
  }
  return out;
}

std::shared_ptr<Quantizer> make_quantizer(QuantSpec spec) {
  if (spec.bits == 32) return nullptr;
  try {
    const QuantMethod& method = quant_method(spec.method);
    check_scope(spec, method);
    spec.settings = complete_settings(method, spec.is_weight, spec.settings);
    auto quantizer = method.make(spec);
    check(quantizer != nullptr, "the factory of method '", spec.method, "' returned nothing");
    return quantizer;
  } catch (const std::invalid_argument& e) {
    throw std::invalid_argument(concat(place_of(spec), ": ", e.what()));
  }
}

}  // namespace ntq
