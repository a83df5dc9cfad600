#include "apps/text.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "base/printable.h"

namespace ntq::apps {
namespace {

std::string print(const char* format, int digits, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, digits, value);
  return buffer;
}

std::string two_units(int64_t large, char large_name, int64_t small, char small_name) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%lld%c%02lld%c", static_cast<long long>(large), large_name,
                static_cast<long long>(small), small_name);
  return buffer;
}

size_t edits(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// What is compared: lower case, one kind of dash.
std::string plain(std::string word) {
  for (char& c : word) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

/// Of the first character; a byte that is no UTF-8 counts as one.
size_t character_bytes(std::string_view text) { return std::max<size_t>(utf8_length(text), 1); }

/// East Asian characters and emoji take two. From U+1000 on all count as such: too short a line does no harm.
size_t character_columns(std::string_view text) {
  const size_t bytes = character_bytes(text);
  return bytes < 3 || (bytes == 3 && static_cast<unsigned char>(text[0]) == 0xe0) ? 1 : 2;
}

}  // namespace

std::string fixed(double value, int digits) { return print("%.*f", digits, value); }
std::string general(double value, int digits) { return print("%.*g", digits, value); }

std::string duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e12) return "?";
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s < 60) return seconds < 10 ? fixed(seconds, 1) + "s" : std::to_string(s) + "s";
  if (s < 3600) return two_units(s / 60, 'm', s % 60, 's');
  if (s < 48 * 3600) return two_units(s / 3600, 'h', s % 3600 / 60, 'm');
  return two_units(s / 86400, 'd', s % 86400 / 3600, 'h');
}

std::string bytes_text(double bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(units)) {
    bytes /= 1000;
    ++unit;
  }
  return fixed(bytes, unit == 0 || bytes >= 100 ? 0 : 1) + " " + units[unit];
}

std::string one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c != '\n' && !(c == ' ' && !out.empty() && out.back() == '\n')) {
      if (!out.empty() && out.back() == '\n') out.back() = ' ';
      out += c;
    } else if (c == '\n' && (out.empty() || out.back() != '\n')) {
      out += c;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::vector<std::string> in_natural_order(std::vector<std::string> names) {
  // Numbers of up to eight digits compare as text once they are equally long.
  const auto key = [](const std::string& name) {
    std::string out, digits;
    for (const char c : name + ' ') {
      const bool digit = c >= '0' && c <= '9';
      if (digit) digits += c;
      if (digit || digits.empty()) {
        out += digit ? "" : std::string(1, c);
        continue;
      }
      out += std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits + c;
      digits.clear();
    }
    return out;
  };
  std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return names;
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string wanted = plain(word);
  if (wanted.empty()) return "";
  std::string best;
  size_t distance = std::min<size_t>(3, wanted.size() / 2 + 1);
  for (const auto& candidate : candidates) {
    const std::string other = plain(candidate);
    if (other == wanted) return candidate;
    const bool begins = wanted.size() > 1 && other.rfind(wanted, 0) == 0;
    if (const size_t d = begins ? 0 : edits(wanted, other); d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best;
}

size_t columns(std::string_view text) {
  size_t sum = 0;
  for (; !text.empty(); text.remove_prefix(character_bytes(text))) sum += character_columns(text);
  return sum;
}

std::string first_columns(std::string_view text, size_t width) {
  size_t end = 0;
  for (size_t used = 0; end < text.size(); end += character_bytes(text.substr(end))) {
    used += character_columns(text.substr(end));
    if (used > width) break;
  }
  return std::string(text.substr(0, end));
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - columns(row[i]), ' ');
      line += (i == 0 ? row[i] + space : "  " + space + row[i]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return out;
}

}  // namespace ntq::apps
