#pragma once
// Reads the repository's own sources, for the tests that hold them to the rules of docs/architecture.md.
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/files.h"

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
  for (const char* folder : {"base", "engine", "quant", "layers", "models", "optim", "data", "train", "apps", "tests",
                             "bench", "examples"}) {
    if (!fs::is_directory(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cpp")) continue;
      sources.push_back({fs::relative(entry.path(), root).generic_string(), test::read_file(entry.path())});
    }
  }
  return sources;
}

struct Include {
  std::string path;
  bool quoted;
};

/// Every #include directive, in order.
inline std::vector<Include> includes_of(const std::string& text) {
  std::vector<Include> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, path;
    words >> word;
    if (word == "#") {
      words >> path;
      word += path;
    }
    if (word.rfind("#include", 0) != 0) continue;
    const auto open = line.find_first_of("<\"");
    const auto close = open == std::string::npos ? open : line.find_first_of(">\"", open + 1);
    if (close != std::string::npos) found.push_back({line.substr(open + 1, close - open - 1), line[open] == '"'});
  }
  return found;
}

}  // namespace ntq::house
