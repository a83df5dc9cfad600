#pragma once
// The four kinds of drawings of a report. Each is a <figure>; colours come from the page's style, so that one drawing
// serves light and dark. A chart without values says so.
#include <string>
#include <vector>

#include "apps/json.h"
#include "apps/report/scale.h"

namespace ntq::apps {

struct Series {
  std::string name;
  Points points;
  bool dots = false;  ///< else a line
};

struct LineChart {
  std::string title, x_name = {};
  std::vector<Series> series;  ///< six colours, then from the first again
  bool log_x = false, log_y = false;
  std::string note = {};
};
/// Adds to `hover` what the page's script shows beside the pointer.
std::string figure_of(const LineChart& chart, Json& hover);

/// A bar, or dots, for each name, along one axis.
struct BarChart {
  struct Row {
    std::string name;
    std::vector<double> values;  ///< a bar takes the first
  };
  std::string title;
  std::vector<Row> rows;
  bool dots = false;  ///< a dot for each value, and a stroke at their mean; the axis need not begin at 0
  std::string note = {};
};
std::string figure_of(const BarChart& chart);

/// Counts in bins of equal width, and values that are marked.
struct HistogramChart {
  std::string title;
  double low = 0, high = 1;
  std::vector<int64_t> counts;
  std::vector<double> marks = {};
  std::string note = {};
};
std::string figure_of(const HistogramChart& chart);

/// A shade for each value; those that are not finite stay empty.
struct HeatMap {
  std::string title, x_name = {};
  std::vector<std::string> rows;
  double first = 0, last = 1;               ///< what the first and the last column stand for
  std::vector<std::vector<double>> values;  ///< [row][column]
  std::string note = {};
};
std::string figure_of(const HeatMap& map);

/// What is around a drawing: title, legend, note. `data`: attributes.
std::string framed(const std::string& title, const std::string& legend, const std::string& drawing,
                   const std::string& note, const std::string& data = "");
/// As much of the end of a name as fits beside a plot: that is what differs.
std::string short_name(const std::string& name);
/// A horizontal axis with its ticks, below a plot from y = `top` to `bottom`.
std::string x_axis(const Scale& x, double top, double bottom);

}  // namespace ntq::apps
