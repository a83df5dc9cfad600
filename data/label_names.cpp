#include "data/label_names.h"

#include <algorithm>

#include "base/check.h"
#include "base/number.h"

namespace ntq {
namespace {

constexpr int32_t kMostClasses = 1 << 20;

std::optional<int32_t> as_number(const std::string& text) {
  const auto value = to_number<int32_t>(text);
  return value && *value >= 0 ? value : std::nullopt;
}

std::string first_word(const std::string& text) { return text.substr(0, text.find_first_of(kSpaces)); }

/// Without the boxes that follow: numbers, and labels with theirs.
std::string label_of(const std::string& text) {
  const size_t space = text.find_first_of(kSpaces);
  if (space == text.npos) return text;
  const std::string second = first_word(trimmed(text.substr(space)));
  return as_number(second) ? text.substr(0, space) : text;
}

bool has_digit(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

LabelNames::LabelNames(std::vector<std::string> classes) : names_(std::move(classes)) {
  for (const std::string& name : names_) {
    numbers_.emplace(name, static_cast<int32_t>(numbers_.size()));
    numbers_are_names_ = numbers_are_names_ || as_number(name);
  }
}

LabelNames LabelNames::of_list(const std::vector<std::string>& labels, const std::string& path) {
  std::vector<std::string> names;
  for (const std::string& label : labels) names.push_back(label_of(label));
  int32_t most = -1;
  bool numbers = true;
  for (const std::string& name : names) {
    const auto number = as_number(name);
    numbers = numbers && number;
    most = std::max(most, number.value_or(0));
  }
  if (numbers) {
    if (most >= kMostClasses) throw DataError(concat(path, ": label ", most, ", expected below ", kMostClasses));
    names.clear();
    for (int32_t i = 0; i <= most; ++i) names.push_back(std::to_string(i));
    return LabelNames(std::move(names));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return LabelNames(std::move(names));
}

std::optional<int32_t> LabelNames::find_word(const std::string& word) const {
  if (const auto found = numbers_.find(word); found != numbers_.end()) return found->second;
  const auto number = numbers_are_names_ ? std::nullopt : as_number(word);
  return number && *number < static_cast<int32_t>(names_.size()) ? number : std::nullopt;
}

std::optional<int32_t> LabelNames::find(const std::string& text) const {
  if (const auto whole = find_word(text)) return whole;
  return find_word(first_word(text));
}

int32_t LabelNames::number(const std::string& text, const std::vector<std::string>& more,
                           const std::string& where) const {
  const auto found = find(text);
  if (!found) {
    throw DataError(
        concat(where, ": expected the name of a class",
               numbers_are_names_ ? " (classes are called by numbers here: their places are not taken)"
                                  : concat(", or its number from 0 to ", names_.size() - 1, " in their order"),
               ", found '", text, "'",
               as_number(text) ? " (the ids of ILSVRC2012's own lists run from 1 and in another order)" : ""));
  }
  if (!find_word(text)) {
    for (std::string rest = text; !rest.empty();) {
      const std::string word = first_word(rest);
      check_single(word, *found, where);
      rest = trimmed(rest.substr(word.size()));
    }
  }
  for (const std::string& field : more) check_single(field, *found, where);
  return *found;
}

/// Boxes may follow a label, and labels of boxes of the same class.
void LabelNames::check_single(const std::string& text, int32_t label, const std::string& where) const {
  if (as_number(text)) return;
  const auto other = numbers_.find(text);
  if (other == numbers_.end() || other->second == label) return;
  throw DataError(concat(where, ": two classes in one line, ", names_[static_cast<size_t>(label)], " and ", text,
                         "; expected a file and its class"));
}

bool LabelNames::are_labels(const std::vector<ListLine>& lines, char separator) const {
  const auto alone = [&](const ListLine& line) {
    return names_.empty() ? separator == ' ' && line.text.find_first_of(" \t") == line.text.npos
                          : find_word(line.text).has_value();
  };
  // A heading does not count, nor does a wrong label; names of files do.
  const auto simple = [&](const ListLine& line) {
    return alone(line) || (separator == ' ' && line.text.find_first_of(" \t,;") == line.text.npos);
  };
  return std::all_of(lines.begin(), lines.end(), simple);
}

bool LabelNames::is_header(const std::string& file, const std::string& label) const {
  if (!names_.empty()) return !knows(label);
  return !has_digit(file) && stem_of(file) == file;
}

}  // namespace ntq
