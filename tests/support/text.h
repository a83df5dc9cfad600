#pragma once
// Looking into messages.
#include <doctest/doctest.h>

#include <string>

#include "base/check.h"

namespace ntq::test {

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The message of the E that `call` throws, which must be one line; "" when it throws none.
template <class E, class F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const E& error) {
    const std::string what = error.what();
    CHECK_FALSE(contains(what, "\n"));
    return what;
  }
  return "";
}

}  // namespace ntq::test
