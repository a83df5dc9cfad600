// The backend that times calls passes every primitive on: one that it forgot would be computed by its default.
#include <doctest/doctest.h>

#include <regex>

#include "tests/house/sources.h"

namespace ntq::house {

TEST_CASE("every virtual function of a backend is passed on by the profiled one") {
  const std::filesystem::path root = NTQ_SOURCE_DIR, folder = root / "engine/backend";
  const std::string profiled = test::read_file(folder / "profiled.cpp");
  const std::regex method("virtual [\\w:]+[ *]+(\\w+)\\(");
  int found = 0;
  for (const char* file : {"memory.h", "primitives.h", "backend.h"}) {
    const std::string text = test::read_file(folder / file);
    for (std::sregex_iterator it(text.begin(), text.end(), method), end; it != end; ++it) {
      const std::string name = (*it)[1];
      ++found;
      CHECK_MESSAGE(profiled.find("in_." + name + "(") != std::string::npos, file, " has ", name,
                    ", engine/backend/profiled.cpp does not pass it on");
    }
  }
  CHECK(found > 45);
}

}  // namespace ntq::house
