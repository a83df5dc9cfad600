#pragma once
// Looking into messages.
#include <doctest/doctest.h>

#include <string>

#include "base/check.h"

namespace ntq::test {

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The message of the E that `call` throws; "" when it throws none.
template <class E, class F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

/// The same of an error that has to be one line.
template <class E, class F>
std::string one_line_of(F&& call) {
  const std::string what = error_of<E>(call);
  CHECK_FALSE(contains(what, "\n"));
  return what;
}

}  // namespace ntq::test
