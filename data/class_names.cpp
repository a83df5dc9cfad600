#include "data/class_names.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "base/text.h"

namespace ntq {

std::string some_names(const std::vector<std::string>& names) {
  constexpr size_t kShown = 5;
  return concat(names.size(), " (", join_first(names, kShown), ")");
}

std::vector<int32_t> match_classes(const std::vector<std::string>& own, const std::vector<std::string>& wanted,
                                   const std::string& what, const std::vector<std::string>& places) {
  std::unordered_map<std::string, int32_t> numbers;
  for (const std::string& name : wanted) {
    const bool fresh = numbers.emplace(name, static_cast<int32_t>(numbers.size())).second;
    check(fresh, "class_names: '", name, "' is there twice");
  }
  std::vector<int32_t> matched;
  for (size_t i = 0; i < own.size(); ++i) {
    const auto found = numbers.find(own[i]);
    if (found == numbers.end()) {
      throw DataError(concat(places.empty() ? what : places[i], ": no class '", own[i], "' is expected; expected ",
                             some_names(wanted), ", found ", some_names(own),
                             "; name the data that these classes belong to, or rename or remove what is too much"));
    }
    matched.push_back(found->second);
  }
  return matched;
}

void relabel(DatasetInfo& info, std::vector<int32_t>& labels, const std::vector<std::string>& wanted) {
  if (wanted.empty() || wanted == info.class_names) return;
  const std::vector<int32_t> places = match_classes(info.class_names, wanted, info.name);
  for (int32_t& label : labels) label = places[static_cast<size_t>(label)];
  info.class_names = wanted;
  info.classes = static_cast<int64_t>(wanted.size());
}

}  // namespace ntq
