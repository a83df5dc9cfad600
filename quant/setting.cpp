#include "quant/setting.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"
#include "base/number.h"
#include "quant/quantizer.h"

namespace ntq {
namespace {

std::string number_text(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return std::to_string(static_cast<long long>(value));
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

/// "[0, 1)", "of 1 or more".
std::string interval_text(const Interval& i) {
  constexpr double kFar = std::numeric_limits<double>::max();
  if (i.low == -kFar && i.high == kFar) return "";
  if (i.high == kFar)
    return i.open_low ? " above " + number_text(i.low) : concat(" of ", number_text(i.low), " or more");
  if (i.low == -kFar)
    return i.open_high ? " below " + number_text(i.high) : concat(" of ", number_text(i.high), " or less");
  return concat(" in ", i.open_low ? "(" : "[", number_text(i.low), ", ", number_text(i.high), i.open_high ? ")" : "]");
}

bool holds(const Setting& setting, double value) {
  const Interval& i = setting.within;
  return std::isfinite(value) && (i.open_low ? value > i.low : value >= i.low) &&
         (i.open_high ? value < i.high : value <= i.high) && (!setting.whole || value == std::floor(value));
}

/// A word of a command line as the number or flag that is declared; all else stays as it is.
SettingValue converted(const SettingValue& standard, const SettingValue& given) {
  if (!given.is_word()) return given;
  const std::string& text = given.word();
  if (standard.is_flag() && (text == "true" || text == "false")) return text == "true";
  const auto number = standard.is_number() ? to_number<double>(text) : std::nullopt;
  return number ? SettingValue(*number) : given;
}

}  // namespace

std::string SettingValue::str() const {
  if (is_number()) return number_text(number());
  return is_flag() ? (flag() ? "true" : "false") : word();
}

std::string allowed_text(const Setting& setting) {
  if (setting.standard.is_flag()) return "true or false";
  if (setting.standard.is_number())
    return (setting.whole ? "a whole number" : "a number") + interval_text(setting.within);
  std::string out;
  for (size_t i = 0; i < setting.words.size(); ++i) {
    out += (i == 0 ? "" : i + 1 == setting.words.size() ? " or " : ", ") + setting.words[i];
  }
  return out;
}

std::optional<SettingValue> accepted(const Setting& setting, const SettingValue& given) {
  const SettingValue value = converted(setting.standard, given);
  const auto& words = setting.words;
  const bool fits = setting.standard.is_number() ? value.is_number() && holds(setting, value.number())
                    : setting.standard.is_flag()
                        ? value.is_flag()
                        : value.is_word() && std::count(words.begin(), words.end(), value.word());
  return fits ? std::optional(value) : std::nullopt;
}

IdleReason idle_with(const std::string& other, const SettingValue& value) {
  return [=](const QuantSpec& spec) {
    return spec.setting(other) == value ? concat("with ", other, " ", value.str()) : "";
  };
}

IdleReason idle_without(const std::string& other, const SettingValue& value) {
  return [=](const QuantSpec& spec) {
    const SettingValue& found = spec.setting(other);
    return found == value ? "" : concat("with ", other, " ", found.str());
  };
}

}  // namespace ntq
