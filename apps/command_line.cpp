#include "apps/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>

#include "apps/config.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

constexpr size_t kShown = 60;  // bytes of a wrong value
constexpr const char* kHelp = " (--help lists the options)";

std::string shown(const std::string& text) { return "'" + printable(text, kShown) + "'"; }

/// "a number", "an integer", or what the type name says.
std::string kind_of(const std::string& type) {
  if (type == "N") return "an integer";
  if (type == "X") return "a number";
  if (type == "DIR") return "a folder";
  if (type == "RUN") return "a run folder";
  if (type == "FILE") return "a file";
  return type == "NAME" ? "a name" : type;
}

template <class T>
T parse_number(const std::string& option, const std::string& text, const char* what) {
  if (text.empty()) throw UsageError(concat(option, ": expected ", what, ", found nothing"));
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const std::string found = concat(option, ": expected ", what, ", found ", shown(text));
  if (error == std::errc::result_out_of_range && stop == end) throw UsageError(found + ", which is out of range");
  if (error != std::errc() || stop != end) {
    const bool comma = std::is_floating_point_v<T> && text.find(',') != std::string::npos;
    throw UsageError(found + (comma ? "; write a point, as in 1.5" : ""));
  }
  return value;
}

bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }
bool may_stand_alone(const CLI::Option& option) { return option.get_expected_min() == 0; }

/// "-5", "-.5", "-inf": a value, no option.
bool is_negative_number(const std::string& word) {
  if (word.size() < 2 || word[0] != '-') return false;
  const char c = word[1];
  return (c >= '0' && c <= '9') || c == '.' || word == "-inf" || word == "-nan";
}

bool looks_like_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && word != "--" && !is_negative_number(word);
}

void check_value(const CLI::Option& option, const std::string& name, const std::string& value) {
  const std::string type = option.get_type_name();
  if (type == "N") parse_integer(name, value);
  if (type == "X") parse_real(name, value);
  if (value.find('\0') != std::string::npos) throw UsageError(name + ": holds a zero byte");
}

class Scan {
 public:
  Scan(const CLI::App& app, int argc, const char* const* argv) : app_(app), words_(argv + 1, argv + argc) {
    for (const auto* option : app.get_options()) {
      if (option->get_positional()) places_.push_back(option);
    }
  }

  std::vector<std::string> run() {
    if (const char* answer = asked_for()) return {answer};
    for (at_ = 0; at_ < words_.size(); ++at_) {
      const std::string& word = words_[at_];
      if (!only_positionals_ && word == "--") {
        only_positionals_ = true;
      } else if (!only_positionals_ && looks_like_option(word)) {
        take_option(word);
      } else {
        positionals_.push_back(word);
      }
    }
    check_positionals();
    // Options that may stand alone come last: a word behind them would be theirs.
    std::vector<std::string> out = std::move(values_);
    out.insert(out.end(), alone_.begin(), alone_.end());
    if (!positionals_.empty()) out.emplace_back("--");
    out.insert(out.end(), positionals_.begin(), positionals_.end());
    return {out.rbegin(), out.rend()};
  }

 private:
  const CLI::Option* find(const std::string& name) const {
    return name.empty() ? nullptr : app_.get_option_no_throw("--" + name);
  }

  /// --help and --version are answered whatever else is wrong.
  const char* asked_for() const {
    const char* answer = nullptr;
    for (const auto& word : words_) {
      if (word == "--") break;
      if (word == "--help" || word == "-h") return "--help";
      if (word == "--version" && answer == nullptr) answer = "--version";
    }
    return answer;
  }

  void take_option(const std::string& word) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const bool is_short = name.size() == 2 && name[1] != '-';
    const CLI::Option* option = is_short                   ? app_.get_option_no_throw(name)
                                : name.rfind("--", 0) == 0 ? find(name.substr(2))
                                                           : nullptr;
    if (option == nullptr) {
      const std::string hint = meant(app_, name.substr(name.find_first_not_of('-') == 1 ? 1 : 2));
      throw UsageError(concat("unknown option ", shown(name), hint.empty() ? "" : "; " + hint, kHelp));
    }
    std::optional<std::string> value;
    if (equals != std::string::npos) value = word.substr(equals + 1);
    if (is_flag(*option)) {
      if (value && *value != "true" && *value != "false") {
        throw UsageError(concat(name, ": takes no value, found ", shown(*value)));
      }
      values_.push_back(word);
      return;
    }
    const bool has_next = at_ + 1 < words_.size() && words_[at_ + 1] != "--" && !looks_like_option(words_[at_ + 1]);
    if (!value && has_next) value = words_[++at_];
    if (may_stand_alone(*option)) {
      if (value && value->empty()) missing(*option, name, "");  // a shell variable that is not set is not "no word"
      alone_ = {value ? name + "=" + *value : name};
      return;
    }
    if (!value) missing(*option, name, at_ + 1 < words_.size() ? words_[at_ + 1] : "");
    check_value(*option, name, *value);
    values_.push_back(name);
    values_.push_back(*value);
  }

  [[noreturn]] void missing(const CLI::Option& option, const std::string& name, const std::string& next) const {
    const std::string found = next.empty() ? "nothing" : "the option " + shown(next.substr(0, next.find('=')));
    throw UsageError(concat(name, ": expected ", kind_of(option.get_type_name()), ", found ", found));
  }

  void check_positionals() const {
    std::string names;
    for (const auto* place : places_) names += (names.empty() ? "" : " ") + place->get_name();
    const bool many = !places_.empty() && places_.back()->get_items_expected_max() > 1;  // the last takes all others
    for (size_t i = 0; i < positionals_.size() && (many || i < places_.size()); ++i) {
      const std::string name = places_[std::min(i, places_.size() - 1)]->get_name();
      if (positionals_[i].empty()) throw UsageError(name + ": expected a name, found nothing");
    }
    for (size_t i = positionals_.size(); i < places_.size(); ++i) {
      if (places_[i]->get_required()) {
        throw UsageError(
            concat("expected ", app_.get_name(), " ", names, ": ", places_[i]->get_name(), " is missing", kHelp));
      }
    }
    if (many || positionals_.size() <= places_.size()) return;
    const std::string extra = join(std::span(positionals_).subspan(places_.size()), ", ", shown);
    const std::string& first = positionals_[places_.size()];
    const std::string hint = first.size() < 3 ? "" : meant(app_, first.substr(0, first.find('=')));
    throw UsageError(concat("expected no more words than ", names, ", found also ", printable(extra, 4 * kShown),
                            hint.empty() ? "" : "; " + hint, kHelp));
  }

  const CLI::App& app_;
  std::vector<std::string> words_;
  std::vector<const CLI::Option*> places_;
  size_t at_ = 0;
  bool only_positionals_ = false;
  std::vector<std::string> values_, alone_, positionals_;
};

}  // namespace

int64_t parse_integer(const std::string& option, const std::string& text) {
  return parse_number<int64_t>(option, text, "an integer");
}

double parse_real(const std::string& option, const std::string& text) {
  const auto value = parse_number<double>(option, text, "a number");
  if (!std::isfinite(value)) throw UsageError(concat(option, ": expected a finite number, found ", shown(text)));
  return value;
}

std::vector<std::string> checked_words(const CLI::App& app, int argc, const char* const* argv) {
  return Scan(app, argc, argv).run();
}

}  // namespace ntq::apps
