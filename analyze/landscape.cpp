#include "analyze/landscape.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/ops/random.h"

namespace ntq {
namespace {

std::vector<double> places(int points) {
  check(points >= 3 && points % 2 == 1, "landscape: expected an odd number of points, 3 or more, found ", points);
  std::vector<double> out;
  const int half = points / 2;
  for (int i = -half; i <= half; ++i) out.push_back(static_cast<double>(i) / half);
  return out;
}

double length(const float* values, int64_t count) {
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) squares += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return std::sqrt(squares);
}

}  // namespace

void normalise_filters(const Objective& objective, std::vector<float>& direction) {
  check(direction.size() == objective.at.size(), "normalise_filters: expected ", objective.at.size(),
        " numbers, found ", direction.size());
  for (const Part& part : objective.parts) {
    float* const d = direction.data() + part.begin;
    if (part.shape.rank() < 2) {
      std::fill(d, d + part.shape.numel(), 0.0f);
      continue;
    }
    const int64_t filters = part.shape[0], size = part.shape.numel_from(1);
    for (int64_t f = 0; f < filters; ++f) {
      float* const filter = d + f * size;
      const double wanted = length(objective.at.data() + part.begin + f * size, size), found = length(filter, size);
      const double factor = found > 0 ? wanted / found : 0;
      for (int64_t i = 0; i < size; ++i) filter[i] = static_cast<float>(static_cast<double>(filter[i]) * factor);
    }
  }
}

std::vector<float> random_direction(const Objective& objective, uint64_t seed, uint32_t number) {
  std::vector<float> out = standard_normal({objective.size()}, {seed, stream_id("landscape"), number}).to_vector();
  normalise_filters(objective, out);
  return out;
}

Landscape landscape(const Objective& objective, const LandscapeOptions& o) {
  check(o.directions >= 1, "landscape: expected one direction or more, found ", o.directions);
  std::vector<std::vector<float>> directions;
  for (int d = 0; d < o.directions; ++d) {
    directions.push_back(random_direction(objective, o.seed, static_cast<uint32_t>(d)));
  }
  return landscape(objective, o.points, directions);
}

Landscape landscape(const Objective& objective, int points, const std::vector<std::vector<float>>& directions) {
  Landscape out;
  out.at = places(points);
  const double here = objective.loss(objective.at, nullptr);
  for (const auto& direction : directions) {
    out.loss.emplace_back();
    for (const double a : out.at) {
      out.loss.back().push_back(a == 0 ? here : objective.loss(moved(objective.at, a, direction), nullptr));
    }
  }
  for (size_t i = 0; i < out.at.size(); ++i) {
    double sum = 0, low = out.loss[0][i], high = low;
    for (const auto& line : out.loss) sum += line[i], low = std::min(low, line[i]), high = std::max(high, line[i]);
    out.mean.push_back(sum / static_cast<double>(out.loss.size()));
    out.low.push_back(low), out.high.push_back(high);
  }
  return out;
}

Plane plane(const Objective& objective, int points, const std::vector<float>& d1, const std::vector<float>& d2) {
  Plane out;
  out.at = places(points);
  for (const double a : out.at) {
    const std::vector<float> row = moved(objective.at, a, d1);
    out.loss.emplace_back();
    for (const double b : out.at) out.loss.back().push_back(objective.loss(moved(row, b, d2), nullptr));
  }
  return out;
}

}  // namespace ntq
