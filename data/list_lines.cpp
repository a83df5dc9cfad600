#include "data/list_lines.h"

#include <algorithm>

namespace ntq {

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  return begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
}

std::vector<ListLine> lines_of(const std::string& text) {
  std::vector<ListLine> lines;
  int64_t number = 0;
  size_t begin = text.rfind("\xEF\xBB\xBF", 0) == 0 ? 3 : 0;  // a byte order mark
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = trimmed(text.substr(begin, end - begin));
    ++number;
    if (!line.empty()) lines.push_back({std::move(line), number});
    begin = end + 1;
  }
  return lines;
}

char separator_of(const std::vector<ListLine>& lines) {
  for (const char separator : {'\t', ',', ';'}) {
    const bool everywhere = std::all_of(
        lines.begin(), lines.end(), [&](const ListLine& line) { return line.text.find(separator) != line.text.npos; });
    if (everywhere && !lines.empty()) return separator;
  }
  return ' ';
}

std::vector<std::string> fields_of(const std::string& line, char separator) {
  std::vector<std::string> fields;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(separator, begin), line.size());
    std::string field = trimmed(line.substr(begin, end - begin));
    if (field.size() >= 2 && field.front() == '"' && field.back() == '"') {
      field = trimmed(field.substr(1, field.size() - 2));
    }
    fields.push_back(std::move(field));
    begin = end + 1;
  }
  return fields;
}

std::string normal_path(const std::string& path) {
  std::string out = path;
  std::replace(out.begin(), out.end(), '\\', '/');
  while (out.rfind("./", 0) == 0) out.erase(0, 2);
  return out;
}

std::string base_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::string stem_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == name.npos || dot == 0) return name;
  std::string ending = name.substr(dot + 1);
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const char* known : {"jpeg", "jpg", "png", "bmp", "webp", "gif", "tif", "tiff", "ppm", "pgm"}) {
    if (ending == known) return name.substr(0, dot);
  }
  return name;
}

}  // namespace ntq
