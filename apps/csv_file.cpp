#include "apps/csv_file.h"

#include <charconv>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/input_file.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

int64_t first_number(const std::string& line) {
  int64_t number = 0;
  std::from_chars(line.data(), line.data() + line.size(), number);
  return number;
}

}  // namespace

CsvFile::CsvFile(std::string path, int64_t last) : path_(std::move(path)) {
  if (!std::filesystem::exists(path_)) return;
  const std::string text = read_text_file(path_), rows = rows_up_to(text, last, first_number);
  if (!rows.empty()) text_ = text.substr(0, text.find('\n') + 1) + rows;
  if (text_ != text) write_file_atomically(path_, text_);
}

void CsvFile::add(const Columns& row) {
  if (text_.empty()) text_ = join(row, ",", [](const auto& column) { return column.first; }) + '\n';
  text_ += join(row, ",", [](const auto& column) { return column.second; }) + '\n';
}

void CsvFile::write() const {
  if (!text_.empty()) write_file_atomically(path_, text_);
}

}  // namespace ntq::apps
