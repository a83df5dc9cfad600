#pragma once
// Lists as text.
#include <functional>
#include <sstream>
#include <string>

namespace ntq {

/// What `show` makes of each, itself by default, with `between` in between: joined(names, ", ").
template <class List, class Show = std::identity>
std::string joined(const List& list, const char* between, Show show = {}) {
  std::ostringstream out;
  const char* before = "";
  for (const auto& one : list) {
    out << before << show(one);
    before = between;
  }
  return out.str();
}

}  // namespace ntq
