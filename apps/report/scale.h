#pragma once
// From values to places of a drawing: axes, their ticks, and curves thinned to what a screen can show.
#include <string>
#include <utility>
#include <vector>

namespace ntq::apps {

/// Values low..high, low < high, lie between the places from..to; both above 0 where it is logarithmic.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool log = false;
  bool whole = false;  ///< of whole numbers: no ticks between them
  double at(double value) const;
};

/// Round values (1, 2 or 5 times a power of ten apart) inside of low..high, `most` at most but two at least wherever
/// they fit. `least` (a power of ten) or more apart. `step`, if wanted: their distance.
std::vector<double> ticks(double low, double high, int most, double* step = nullptr, double least = 0);
/// Powers of ten; where there are less than two of them, 1, 2 and 5 times these; else as ticks().
std::vector<double> log_ticks(double low, double high);
/// As many digits as ticks so far apart need: "0.25", "1500", "250k", "2e-06". `step` 0: as few as say it.
std::string tick_text(double value, double step);

/// The finite values' range; with room for a line that is level. {0, 1} without any.
std::pair<double, double> range_of(const std::vector<double>& values);

struct Points {
  std::vector<double> x, y;
};
constexpr size_t kMostPoints = 500;
/// At most `most` of the points whose y is finite, in order: of equal shares of them the lowest and the highest, so
/// that no peak is lost.
Points thinned(const Points& points, size_t most = kMostPoints);

}  // namespace ntq::apps
