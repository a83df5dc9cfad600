// Any bytes as JSON text: a tree that can be written and destroyed, or a JsonError of one short line; and as names of
// other people's weights.
#include "apps/json.h"

#include <cstdint>
#include <cstdlib>
#include <sstream>

#include "train/public_names.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const ntq::apps::Json json = ntq::apps::parse_json(text, "input");
    if (ntq::apps::parse_json(ntq::apps::dump_json(json), "again") != json) std::abort();
    ntq::apps::brief(json);
  } catch (const ntq::apps::JsonError& error) {
    const std::string what = error.what();
    if (what.size() > 1000 || what.find('\n') != std::string::npos) std::abort();
  }
  std::vector<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  const std::string prefix = ntq::shared_prefix(names);
  for (const auto& name : names) {
    if (name.rfind(prefix, 0) == 0) ntq::our_name(ntq::bare_name(name.substr(prefix.size())));
  }
  return 0;
}
