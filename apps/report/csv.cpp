#include "apps/report/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ntq::apps {
namespace {

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  for (size_t begin = 0, end; begin <= line.size(); begin = end + 1) {
    end = std::min(line.find(',', begin), line.size());
    cells.push_back(line.substr(begin, end - begin));
  }
  return cells;
}

double number_or_nan(const std::string& text) {
  double value = NAN;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : NAN;
}

}  // namespace

bool CsvTable::has(const std::string& name) const { return std::find(names.begin(), names.end(), name) != names.end(); }

std::vector<std::string> CsvTable::texts(const std::string& name) const {
  std::vector<std::string> out;
  const auto column = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  if (column == names.size()) return out;
  for (const auto& row : rows) out.push_back(row[column]);
  return out;
}

std::vector<double> CsvTable::numbers(const std::string& name) const {
  std::vector<double> out;
  for (const auto& text : texts(name)) out.push_back(number_or_nan(text));
  return out;
}

CsvTable parse_csv(const std::string& text) {
  CsvTable table;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    auto cells = cells_of(text.substr(begin, end - begin));
    if (table.names.empty()) {
      table.names = std::move(cells);
    } else if (cells.size() == table.names.size()) {
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

}  // namespace ntq::apps
