#pragma once
// A table of a run folder that grows while the run goes on.
#include <string>
#include <utility>
#include <vector>

namespace ntq::apps {

/// Names and values of a row.
using Columns = std::vector<std::pair<std::string, std::string>>;

class CsvFile {
 public:
  /// Keeps the rows of the file that begin with a number in [1, last]: later ones, and a torn one, are of steps or
  /// epochs that come again.
  CsvFile(std::string path, int64_t last);
  /// The first row gives the heading.
  void add(const Columns& row);
  /// Atomically; no file without rows, unless there is one to be replaced.
  void write() const;

 private:
  std::string path_, text_;
};

/// The complete lines of `text` for which `number_of` gives something in [1, last].
template <class NumberOf>
std::string rows_up_to(const std::string& text, int64_t last, NumberOf number_of) {
  std::string kept;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    const int64_t number = number_of(line);
    if (number >= 1 && number <= last) kept += line + '\n';
  }
  return kept;
}

}  // namespace ntq::apps
