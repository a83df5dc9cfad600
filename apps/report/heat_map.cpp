#include <algorithm>
#include <array>
#include <cmath>

#include "apps/report/chart.h"
#include "apps/report/svg.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

constexpr double kMapWidth = 360, kMapLeft = 128, kMapRight = 346, kMapTop = 4;
constexpr size_t kShades = 9, kMostColumns = 60, kMostMapCells = 2000;

/// Of many columns, every so-manieth.
size_t shown_column(size_t column, size_t shown, size_t all) { return shown == all ? column : column * all / shown; }

}  // namespace

std::string figure_of(const HeatMap& map) {
  std::vector<double> all;
  size_t given = 0;
  for (const auto& row : map.values) {
    all.insert(all.end(), row.begin(), row.end());
    given = std::max(given, row.size());
  }
  const bool any = std::any_of(all.begin(), all.end(), [](double v) { return std::isfinite(v); });
  if (!any) return framed(map.title, "", "<p class=\"none\">no values</p>\n", map.note);
  const std::pair<double, double> range = range_of(all);
  const double low = range.first, high = range.second;
  const size_t columns = std::min({given, kMostColumns, std::max<size_t>(kMostMapCells / map.rows.size(), 2)});
  const double height = map.rows.size() > 40 ? 6 : 12;
  const double width = (kMapRight - kMapLeft) / static_cast<double>(columns);
  const double bottom = kMapTop + height * static_cast<double>(map.rows.size());
  /// Of a column that is shown; kShades for none.
  const auto shade_at = [&](const std::vector<double>& row, size_t column) -> size_t {
    const size_t at = shown_column(column, columns, given);
    if (at >= row.size() || !std::isfinite(row[at])) return kShades;
    return std::min(static_cast<size_t>((row[at] - low) / (high - low) * kShades), kShades - 1);
  };
  std::array<std::string, kShades> paths;  // cells of one shade are one path
  std::string content;
  for (size_t r = 0; r < map.rows.size(); ++r) {
    const double top = kMapTop + height * static_cast<double>(r);
    if (height >= 12 || r % 2 == 0) content += svg_text("small end", kMapLeft - 5, top + 9, short_name(map.rows[r]));
    for (size_t c = 0, end; c < columns; c = end) {  // neighbours of one shade are one piece
      const auto shade = shade_at(map.values[r], c);
      for (end = c + 1; end < columns && shade_at(map.values[r], end) == shade; ++end) continue;
      if (shade == kShades) continue;
      paths[shade] += concat("M", px(kMapLeft + width * static_cast<double>(c)), " ", px(top), "h",
                             px(width * static_cast<double>(end - c)), "v", px(height - 1), "H",
                             px(kMapLeft + width * static_cast<double>(c)), "z");
    }
  }
  const bool level = std::count(all.begin(), all.end(), low) + std::count(all.begin(), all.end(), high) == 0;
  std::string legend =
      concat(" <span class=\"scale\">", level ? "all " + tick_text((low + high) / 2, 0) : tick_text(low, 0) + " ");
  for (size_t i = 0; i < kShades; ++i) {
    if (!paths[i].empty()) content += concat("<path class=\"h", i, "\" d=\"", paths[i], "\"/>\n");
    if (!level) legend += concat("<i class=\"b", i, "\"></i>");
  }
  legend += concat(level ? "" : " " + tick_text(high, 0), "</span>");
  content += svg_text("tick start", kMapLeft, bottom + 13, tick_text(map.first, 0));
  content += svg_text("tick mid", (kMapLeft + kMapRight) / 2, bottom + 13, map.x_name);
  content += svg_text("tick end", kMapRight, bottom + 13, tick_text(map.last, 0));
  return framed(map.title, legend, svg_of(kMapWidth, bottom + 18, map.title, content), map.note);
}

}  // namespace ntq::apps
