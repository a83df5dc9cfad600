#pragma once
// Lines and fields of lists that people write, and the names of files in them.
#include <cstdint>
#include <string>
#include <vector>

namespace ntq {

constexpr char kSpaces[] = " \t\r\v\f";

struct ListLine {
  std::string text;    ///< without spaces around it, never empty
  int64_t number = 0;  ///< from 1
};
std::vector<ListLine> lines_of(const std::string& text);

/// The first of tab, comma and semicolon that is in every line; else ' '.
char separator_of(const std::vector<ListLine>& lines);
/// At least one. Spaces and quotation marks around a field come off.
std::vector<std::string> fields_of(const std::string& line, char separator);

std::string trimmed(const std::string& text);
/// With '/' between folders, and without "./" before it.
std::string normal_path(const std::string& path);
/// The last name of a path.
std::string base_of(const std::string& path);
/// Without an ending that images have.
std::string stem_of(const std::string& name);

}  // namespace ntq
