#pragma once
// The tables of a run folder, read back.
#include <string>
#include <vector>

namespace ntq::apps {

struct CsvTable {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> rows;  ///< as many cells as names

  bool has(const std::string& name) const;
  /// A column as text, or as numbers: NaN for what is none. Empty without the column.
  std::vector<std::string> texts(const std::string& name) const;
  std::vector<double> numbers(const std::string& name) const;
};

/// Cells without quotes, as ntq-train writes them; lines of another number of cells are left out.
CsvTable parse_csv(const std::string& text);

}  // namespace ntq::apps
