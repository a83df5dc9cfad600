#include "base/peak_memory.h"

#include <doctest/doctest.h>

#include <vector>

TEST_CASE("peak_memory: counts what was touched, and keeps it when it is given back") {
  const int64_t before = ntq::peak_memory();
  CHECK(before > (1 << 20));
  constexpr int64_t kMore = 64 << 20;
  { std::vector<char> touched(static_cast<std::size_t>(before + kMore), 1); }
  CHECK(ntq::peak_memory() > before + kMore / 2);
}
