#include "base/isa.h"

#include <doctest/doctest.h>

#include "base/check.h"

namespace ntq::cpu {

TEST_CASE("the plainest instruction set runs everywhere") {
  const auto names = available_isas();
  REQUIRE_FALSE(names.empty());
  CHECK(names.front() == "portable");
  CHECK(isa_index("portable") == 0);
  for (const std::string& name : names) CHECK(all_isas()[isa_index(name)].name == name);
}

TEST_CASE("an instruction set that is not there is named, and what there is") {
  CHECK_THROWS_WITH_AS(
      isa_index("mmx"),
      doctest::Contains("instruction set 'mmx' is unknown or this processor lacks it; it can run: portable"),
      DeviceError);
}

}  // namespace ntq::cpu
