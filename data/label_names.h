#pragma once
// What the labels of a list mean: names of classes, or their numbers.
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/list_lines.h"

namespace ntq {

class LabelNames {
 public:
  /// Empty: not known yet, of_list() finds them.
  explicit LabelNames(std::vector<std::string> classes);
  /// The names in `labels`, sorted; or 0 to the largest where all are numbers. Throws DataError.
  static LabelNames of_list(const std::vector<std::string>& labels, const std::string& path);

  const std::vector<std::string>& names() const { return names_; }
  /// Whether the text is a name or number of a class, alone or before what else stands in its line.
  bool knows(const std::string& text) const { return find(text).has_value(); }
  /// `more`: fields that follow in the line. Throws DataError that says where, and what was expected; also when a
  /// second class is named.
  int32_t number(const std::string& text, const std::vector<std::string>& more, const std::string& where) const;

  /// Whether the lines are labels without files.
  bool are_labels(const std::vector<ListLine>& lines, char separator) const;
  /// Whether a first line whose file is not there is a heading.
  bool is_header(const std::string& file, const std::string& label) const;

 private:
  std::optional<int32_t> find(const std::string& text) const;
  std::optional<int32_t> find_word(const std::string& word) const;
  void check_single(const std::string& text, int32_t label, const std::string& where) const;
  std::vector<std::string> names_;
  std::unordered_map<std::string, int32_t> numbers_;
  bool numbers_are_names_ = false;  ///< classes called "1", "2", ...: a number is never a place among them
};

}  // namespace ntq
