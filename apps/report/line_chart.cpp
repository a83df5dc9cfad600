#include <algorithm>
#include <cmath>

#include "apps/report/chart.h"
#include "apps/report/svg.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

constexpr double kWidth = 360, kHeight = 220, kLeft = 46, kRight = 350, kTop = 8, kBottom = 186;
constexpr size_t kColours = 6;

std::string path_of(const Points& points, const Scale& x, const Scale& y) {
  std::string d;
  for (size_t i = 0; i < points.x.size(); ++i) {
    d += concat(i == 0 ? "M" : i == 1 ? "L" : " ", px(x.at(points.x[i])), " ", px(y.at(points.y[i])));
  }
  return d;
}

/// What the script shows has no more digits.
Json rounded(const std::vector<double>& values, int digits) {
  Json out = Json::array();
  for (const double v : values) out.push_back(std::stod(general(v, digits)));
  return out;
}

Scale scale_of(const std::vector<double>& values, bool log) {
  const auto [low, high] = range_of(values);
  const bool whole = std::all_of(values.begin(), values.end(), [](double v) { return v == std::floor(v); });
  return {.low = low, .high = high, .log = log && low > 0, .whole = whole};
}

std::string y_axis(const Scale& y) {
  std::string out;
  double step = 0;
  const std::vector<double> at = y.log ? log_ticks(y.low, y.high) : ticks(y.low, y.high, 6, &step, y.whole ? 1 : 0);
  for (const double v : at) {
    out += svg_line("grid", kLeft, y.at(v), kRight, y.at(v));
    out += svg_text("tick end", kLeft - 5, y.at(v) + 3.5, tick_text(v, step));
  }
  return out;
}

}  // namespace

std::string framed(const std::string& title, const std::string& legend, const std::string& drawing,
                   const std::string& note, const std::string& data) {
  return concat("<figure", data, ">\n<figcaption>", escaped(title), legend, "</figcaption>\n", drawing,
                note.empty() ? "" : concat("<p class=\"note\">", escaped(note), "</p>\n"), "</figure>\n");
}

std::string x_axis(const Scale& x, double top, double bottom) {
  std::string out;
  double step = 0;
  const int most = std::max(2, static_cast<int>((x.to - x.from) / 55));
  for (const double v : x.log ? log_ticks(x.low, x.high) : ticks(x.low, x.high, most, &step, x.whole ? 1 : 0)) {
    out += svg_line("grid", x.at(v), top, x.at(v), bottom);
    out += svg_text("tick mid", x.at(v), bottom + 13, tick_text(v, step));
  }
  return out;
}

std::string figure_of(const LineChart& chart, Json& hover) {
  std::vector<Series> shown;
  std::vector<double> all_x, all_y;
  for (const Series& s : chart.series) {
    shown.push_back({s.name, thinned(s.points), s.dots});
    const Points& p = shown.back().points;
    all_x.insert(all_x.end(), p.x.begin(), p.x.end());
    all_y.insert(all_y.end(), p.y.begin(), p.y.end());
  }
  if (all_x.empty()) return framed(chart.title, "", "<p class=\"none\">no values</p>\n", chart.note);
  Scale x = scale_of(all_x, chart.log_x), y = scale_of(all_y, chart.log_y);
  x.from = kLeft, x.to = kRight, y.from = kBottom, y.to = kTop;
  std::string content = y_axis(y) + x_axis(x, kTop, kBottom), legend;
  content += svg_text("tick end", kRight, kHeight - 5, chart.x_name);
  Json series = Json::array();
  for (size_t i = 0; i < shown.size(); ++i) {
    const Points& p = shown[i].points;
    const size_t colour = i % kColours;
    if (shown[i].dots || p.x.size() == 1) {
      for (size_t k = 0; k < p.x.size(); ++k) {
        content += concat("<circle class=\"soft f", colour, "\" cx=\"", px(x.at(p.x[k])), "\" cy=\"", px(y.at(p.y[k])),
                          "\" r=\"3.5\"/>\n");
      }
    } else if (!p.x.empty()) {
      content += concat("<path class=\"curve c", colour, "\" d=\"", path_of(p, x, y), "\"/>\n");
    }
    if (shown.size() > 1) legend += concat(" <span class=\"key k", colour, "\">", escaped(shown[i].name), "</span>");
    series.push_back({{"n", shown[i].name}, {"x", rounded(p.x, 6)}, {"y", rounded(p.y, 4)}});
  }
  content += svg_line("cross", 0, kTop, 0, kBottom);
  const std::string data = concat(" data-chart=\"", hover.size(), "\"");
  hover.push_back({{"xn", chart.x_name},
                   {"from", kLeft},
                   {"to", kRight},
                   {"low", x.low},
                   {"high", x.high},
                   {"log", x.log},
                   {"s", series}});
  return framed(chart.title, legend, svg_of(kWidth, kHeight, chart.title, content), chart.note, data);
}

}  // namespace ntq::apps
