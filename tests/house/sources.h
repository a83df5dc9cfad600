#pragma once
// Reads the repository's own sources, for the tests that hold them to the rules of docs/architecture.md.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

namespace ntq::house {

struct Source {
  std::string path;  ///< from the repository's root, with forward slashes
  std::string text;
};

/// Every .h and .cpp file of the project's folders, build folders aside.
inline std::vector<Source> all_sources() {
  namespace fs = std::filesystem;
  const fs::path root = NTQ_SOURCE_DIR;
  std::vector<Source> sources;
  for (const char* folder :
       {"engine", "quant", "layers", "models", "optim", "data", "apps", "tests", "bench", "examples"}) {
    if (!fs::is_directory(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cpp")) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      sources.push_back({fs::relative(entry.path(), root).generic_string(),
                         {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}});
    }
  }
  return sources;
}

struct Include {
  std::string path;
  bool quoted;
};

inline std::vector<Include> includes_of(const std::string& text) {
  static const std::regex pattern(R"re((?:^|\n)[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"])re");
  std::vector<Include> found;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    found.push_back({(*match)[2].str(), (*match)[1].str() == "\""});
  }
  return found;
}

}  // namespace ntq::house
