#include <algorithm>

#include "apps/report/chart.h"
#include "apps/report/svg.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

constexpr double kHistWidth = 240, kHistLeft = 8, kHistRight = 232, kHistTop = 4, kHistBottom = 92;
constexpr size_t kMostMarks = 64;  // closer together they would be one grey

}  // namespace

std::string figure_of(const HistogramChart& chart) {
  const auto most = chart.counts.empty() ? 0 : *std::max_element(chart.counts.begin(), chart.counts.end());
  if (most == 0) return framed(chart.title, "", "<p class=\"none\">no values</p>\n", chart.note);
  double low = chart.low, high = chart.high;
  std::vector<double> marks = chart.marks;
  if (marks.size() > kMostMarks) marks = {marks.front(), marks.back()};
  for (const double mark : marks) low = std::min(low, mark), high = std::max(high, mark);
  if (low == high) low -= 1, high += 1;
  const Scale x{.low = low, .high = high, .from = kHistLeft, .to = kHistRight};
  std::string content = x_axis(x, kHistTop, kHistBottom);
  for (const double mark : marks) content += svg_line("mark", x.at(mark), kHistTop, x.at(mark), kHistBottom);
  // A chart of steps, left to right; heights relative to the one before, which is short.
  const double bin = (x.at(chart.high) - x.at(chart.low)) / static_cast<double>(chart.counts.size());
  std::string d = concat("M", px(x.at(chart.low)), " ", px(kHistBottom));
  for (size_t i = 0; i < chart.counts.size(); ++i) {
    const double share = static_cast<double>(chart.counts[i]) / static_cast<double>(most);
    d += concat("V", px(kHistBottom - share * (kHistBottom - kHistTop)), "H",
                px(x.at(chart.low) + bin * static_cast<double>(i + 1)));
  }
  content += concat("<path class=\"f0 soft\" d=\"", d, "V", px(kHistBottom), "z\"/>\n");
  return framed(chart.title, "", svg_of(kHistWidth, kHistBottom + 18, chart.title, content), chart.note);
}

}  // namespace ntq::apps
