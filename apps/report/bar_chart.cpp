#include <algorithm>
#include <numeric>

#include "apps/report/chart.h"
#include "apps/report/svg.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

constexpr double kBarWidth = 360, kBarLeft = 128, kBarRight = 346, kRowHeight = 16, kBarTop = 4;

std::string dots_of(const BarChart::Row& row, const Scale& x, double middle) {
  std::string out;
  for (const double v : row.values) {
    out += concat("<circle class=\"f0 soft\" cx=\"", px(x.at(v)), "\" cy=\"", px(middle), "\" r=\"3.5\"/>\n");
  }
  if (row.values.empty()) return out;
  const double mean =
      std::accumulate(row.values.begin(), row.values.end(), 0.0) / static_cast<double>(row.values.size());
  return out + svg_line("mean", x.at(mean), middle - 6, x.at(mean), middle + 6);
}

std::string bar_of(double value, const Scale& x, double middle) {
  const double a = x.at(std::clamp(0.0, x.low, x.high)), b = x.at(value);
  return concat("<path class=\"f", value < 0 ? 1 : 0, "\" d=\"M", px(std::min(a, b)), " ", px(middle - 5), "h",
                px(std::max(std::abs(b - a), 0.5)), "v10H", px(std::min(a, b)), "z\"/>\n");
}

}  // namespace

std::string short_name(const std::string& name) {
  constexpr size_t kMost = 20;
  if (columns(name) <= kMost) return name;
  size_t cut = 0;
  while (columns(std::string_view(name).substr(cut)) >= kMost) {
    do ++cut;
    while (cut < name.size() && (static_cast<unsigned char>(name[cut]) & 0xC0) == 0x80);
  }
  return "…" + name.substr(cut);
}

std::string figure_of(const BarChart& chart) {
  std::vector<double> all;
  for (const auto& row : chart.rows) all.insert(all.end(), row.values.begin(), row.values.end());
  if (all.empty()) return framed(chart.title, "", "<p class=\"none\">no values</p>\n", chart.note);
  if (!chart.dots) all.push_back(0);
  auto [low, high] = range_of(all);
  if (chart.dots) {  // whole dots, beside the names
    const double room = (high - low) / 25;
    low -= room, high += room;
  }
  const double bottom = kBarTop + kRowHeight * static_cast<double>(chart.rows.size());
  const Scale x{.low = low, .high = high, .from = kBarLeft, .to = kBarRight};
  std::string content = x_axis(x, kBarTop, bottom);
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const auto& row = chart.rows[i];
    const double middle = kBarTop + kRowHeight * (static_cast<double>(i) + 0.5);
    const std::string values = row.values.empty() ? "" : ": " + general(row.values[0], 4);
    content += concat("<g><title>", escaped(row.name + (chart.dots ? "" : values)), "</title>");
    content += svg_text("tick end", kBarLeft - 6, middle + 3.5, short_name(row.name));
    if (chart.dots) {
      content += dots_of(row, x, middle);
    } else if (!row.values.empty()) {
      content += bar_of(row.values[0], x, middle);
    }
    content += "</g>\n";
  }
  return framed(chart.title, "", svg_of(kBarWidth, bottom + 18, chart.title, content), chart.note);
}

}  // namespace ntq::apps
