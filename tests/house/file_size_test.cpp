// Long files are the ones that readers complain of: 100 lines is the aim, 600 the end.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/house/sources.h"

namespace ntq::house {

TEST_CASE("no source file exceeds 600 lines") {
  for (const auto& source : all_sources()) {
    const auto lines = std::count(source.text.begin(), source.text.end(), '\n');
    CHECK_MESSAGE(lines <= 600, source.path, " has ", lines, " lines; split it by what its parts do");
  }
}

}  // namespace ntq::house
