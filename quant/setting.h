#pragma once
// Settings of quantization methods: what a method declares, and the values that it is given.
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace ntq {

/// A number, true or false, or a word. What a command line gives is a word until a declaration says what it means.
class SettingValue {
 public:
  SettingValue(double value) : value_(value) {}                      // NOLINT: all of these are values
  SettingValue(float value) : value_(static_cast<double>(value)) {}  // NOLINT
  SettingValue(int value) : value_(static_cast<double>(value)) {}    // NOLINT
  SettingValue(bool value) : value_(value) {}                        // NOLINT
  SettingValue(const char* value) : value_(std::string(value)) {}    // NOLINT
  SettingValue(std::string value) : value_(std::move(value)) {}      // NOLINT

  bool is_number() const { return std::holds_alternative<double>(value_); }
  bool is_flag() const { return std::holds_alternative<bool>(value_); }
  bool is_word() const { return std::holds_alternative<std::string>(value_); }
  // Throw std::bad_variant_access for another kind.
  double number() const { return std::get<double>(value_); }
  float f32() const { return static_cast<float>(number()); }
  bool flag() const { return std::get<bool>(value_); }
  const std::string& word() const { return std::get<std::string>(value_); }
  /// "0.2", "true", "mse": the shortest text that gives the value again.
  std::string str() const;
  bool operator==(const SettingValue&) const = default;

 private:
  std::variant<double, bool, std::string> value_;
};

/// Values by name.
using Settings = std::map<std::string, SettingValue>;

/// Numbers from low to high; an open side leaves the bound itself out.
struct Interval {
  double low = -std::numeric_limits<double>::max(), high = std::numeric_limits<double>::max();
  bool open_low = false, open_high = false;
};

/// Which quantizers of a layer read a setting.
enum class Side { both, weights, inputs };

struct QuantSpec;
/// Why a setting changes nothing in quantizers of such a complete spec, "with noise 0"; empty: it may.
using IdleReason = std::function<std::string(const QuantSpec&)>;

/// One setting of a method; its kind is that of `standard`.
struct Setting {
  std::string name;  ///< lower case, '_' between words
  SettingValue standard = 0.0;
  Interval within = {};                 ///< of a number
  bool whole = false;                   ///< a number without a fraction
  std::vector<std::string> words = {};  ///< of which a word is one
  Side side = Side::both;
  std::string help = {};
  IdleReason idle = {};  ///< none: it is never known to change nothing
};

/// Changes nothing where another setting of that side has this value, or has not.
IdleReason idle_with(const std::string& other, const SettingValue& value);
IdleReason idle_without(const std::string& other, const SettingValue& value);

/// "a number in [0, 1)", "a whole number of 1 or more", "true or false", "lsq or mse".
std::string allowed_text(const Setting& setting);
/// `given` as the declared kind (the word "0.2" is a number where one is declared); nothing when it is not allowed.
std::optional<SettingValue> accepted(const Setting& setting, const SettingValue& given);

}  // namespace ntq
