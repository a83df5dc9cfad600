// An op that does not tell record() its name would be missing from graphs, and its result pass for a constant.
#include <doctest/doctest.h>

#include <regex>
#include <set>

#include "tests/house/sources.h"

namespace ntq::house {

TEST_CASE("every op's name in graphs is tested") {
  // What no output follows from differentiably, what a graph has the values of, and what it has as the ops inside.
  const std::set<std::string> no_node = {
      "count_correct", "sum_abs",       "quantize_codes", "standard_normal", "cast_f32",     "cast_i8",
      "cast_u8",       "decode",        "decode_kept",    "sum_to_axis",     "conv_product", "uniform",
      "look_up",       "look_up_codes", "look_up_places", "look_up_slopes",  "gradient_room"};
  const std::filesystem::path root = NTQ_SOURCE_DIR;
  const std::string test = test::read_file(root / "tests/engine/graph_test.cpp");
  const std::regex op("(?:^|\n)Tensor (\\w+)\\(");
  int found = 0;
  for (const Source& source : all_sources()) {
    if (source.path.rfind("engine/ops/", 0) != 0 || !source.path.ends_with(".h")) continue;
    for (std::sregex_iterator it(source.text.begin(), source.text.end(), op), end; it != end; ++it) {
      const std::string name = (*it)[1];
      if (no_node.contains(name)) continue;
      ++found;
      CHECK_MESSAGE(test.find("{\"" + name + "\"") != std::string::npos, source.path, " has ", name,
                    ", tests/engine/graph_test.cpp has no case for it");
    }
  }
  CHECK(found > 30);
}

}  // namespace ntq::house
