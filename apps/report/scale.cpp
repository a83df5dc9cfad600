#include "apps/report/scale.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "apps/text.h"

namespace ntq::apps {

double Scale::at(double value) const {
  const double part = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return from + part * (to - from);
}

std::vector<double> ticks(double low, double high, int most, double* step, double least) {
  double size = std::max(least, std::pow(10, std::floor(std::log10((high - low) / most))));
  for (const double factor : {2.0, 2.5, 2.0, 2.0, 2.5}) {  // 2, 5, 10, 20, 50
    if (std::floor(high / size + 1e-9) - std::ceil(low / size - 1e-9) + 1 <= most) break;
    size *= factor;
  }
  std::vector<double> out;
  const double first = std::ceil(low / size - 1e-9);
  for (int i = 0; (first + i) * size <= high + size * 1e-9; ++i) out.push_back((first + i) * size);
  if (step != nullptr) *step = size;
  return out;
}

std::vector<double> log_ticks(double low, double high) {
  std::vector<double> tens, all;
  for (int power = static_cast<int>(std::floor(std::log10(low))); std::pow(10, power) <= high * (1 + 1e-9); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10, power);
      if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
      all.push_back(value);
      if (factor == 1) tens.push_back(value);
    }
  }
  if (tens.size() >= 2) return tens;
  return all.size() >= 2 ? all : ticks(low, high, 4);
}

std::string tick_text(double value, double step) {
  const double size = std::fabs(value);
  if (size < step * 1e-6 || value == 0) return "0";
  if (size >= 1e9 || size < 1e-4) return general(value, 3);
  if (size >= 1e6) return general(value / 1e6, 4) + "M";
  if (size >= 1e5) return general(value / 1e3, 4) + "k";
  if (step <= 0) return general(value, 4);
  return fixed(value, std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))));
}

std::pair<double, double> range_of(const std::vector<double>& values) {
  double low = INFINITY, high = -INFINITY;
  for (const double v : values) {
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  }
  if (low > high) return {0, 1};
  if (low < high) return {low, high};
  const double room = low == 0 ? 1 : std::fabs(low) / 10;
  return {low - room, high + room};
}

Points thinned(const Points& points, size_t most) {
  Points kept;
  for (size_t i = 0; i < points.y.size(); ++i) {
    if (std::isfinite(points.x[i]) && std::isfinite(points.y[i])) {
      kept.x.push_back(points.x[i]), kept.y.push_back(points.y[i]);
    }
  }
  const size_t count = kept.y.size(), shares = most / 2;
  if (count <= most) return kept;
  Points out;
  for (size_t share = 0; share < shares; ++share) {
    const auto begin = kept.y.begin() + static_cast<std::ptrdiff_t>(share * count / shares);
    const auto end = kept.y.begin() + static_cast<std::ptrdiff_t>((share + 1) * count / shares);
    auto [first, second] = std::minmax_element(begin, end);
    if (second < first) std::swap(first, second);
    for (const auto& at : {first, second}) {
      out.x.push_back(kept.x[static_cast<size_t>(at - kept.y.begin())]), out.y.push_back(*at);
      if (first == second) break;
    }
  }
  return out;
}

}  // namespace ntq::apps
