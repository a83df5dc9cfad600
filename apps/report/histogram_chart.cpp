#include <algorithm>
#include <cmath>

#include "apps/report/chart.h"
#include "apps/report/svg.h"
#include "apps/text.h"
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
  std::string lines;
  for (const double mark : marks) lines += concat("M", px(x.at(mark)), " ", px(kHistTop), "V", px(kHistBottom));
  if (!lines.empty()) content += concat("<path class=\"mark\" d=\"", lines, "\"/>\n");
  // A bin is one wide, in a system of its own: whole numbers are short, and there are many histograms on a page.
  const double bin = (x.at(chart.high) - x.at(chart.low)) / static_cast<double>(chart.counts.size());
  const double full = kHistBottom - kHistTop;
  std::string d = "M0 0";
  int64_t height = 0;
  for (const int64_t count : chart.counts) {
    const int64_t next = std::llround(full * static_cast<double>(count) / static_cast<double>(most));
    d += concat(next == height ? "" : concat("v", height - next), "h1");
    height = next;
  }
  content += concat("<path class=\"f0 soft\" transform=\"translate(", px(x.at(chart.low)), " ", px(kHistBottom),
                    ")scale(", general(bin, 6), " 1)\" d=\"", d, "V0z\"/>\n");
  return framed(chart.title, "", svg_of(kHistWidth, kHistBottom + 18, chart.title, content), chart.note);
}

}  // namespace ntq::apps
