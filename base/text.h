#pragma once
// Lists as text.
#include <cstddef>
#include <functional>
#include <sstream>
#include <string>

namespace ntq {

/// "a, b, c": what `show` makes of each, itself by default, with `between` in between.
template <class List, class Show = std::identity>
std::string join(const List& list, const char* between = ", ", Show show = {}) {
  std::ostringstream out;
  const char* before = "";
  for (const auto& one : list) {
    out << before << show(one);
    before = between;
  }
  return out.str();
}

/// "a, b, c, ...": the first `most` of a list, and dots when it has more.
template <class List, class Show = std::identity>
std::string join_first(const List& list, size_t most, Show show = {}) {
  std::ostringstream out;
  size_t count = 0;
  for (const auto& one : list) {
    if (count == most) {
      out << ", ...";
      break;
    }
    out << (count++ == 0 ? "" : ", ") << show(one);
  }
  return out.str();
}

}  // namespace ntq
