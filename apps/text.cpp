#include "apps/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

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

std::string join(const std::vector<std::string>& items, const char* between) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : between) + item;
  return out;
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t distance = 3;
  for (const auto& candidate : candidates) {
    if (const size_t d = edits(word, candidate); d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      line += (i == 0 ? row[i] + space : "  " + space + row[i]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return out;
}

}  // namespace ntq::apps
