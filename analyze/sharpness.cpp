#include "analyze/sharpness.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/ops/random.h"

namespace ntq {
namespace {

double sign(double g) { return g < 0 ? -1.0 : 1.0; }

}  // namespace

Sharpness sharpness(const Objective& objective, const Slope& start, const Subspace& subspace, double radius) {
  check(radius >= 0, "sharpness: expected a radius of 0 or more, found ", radius);
  std::vector<double> bound = subspace.coordinates(objective.at), best(bound.size());
  for (double& b : bound) b = radius * (std::fabs(b) + 1);
  Sharpness out{.loss = start.loss, .highest = start.loss};
  std::vector<double> uphill = subspace.transposed_times(start.gradient);
  double step = 1;
  while (out.passes < kMostVertices) {
    std::vector<double> next = best;
    for (size_t j = 0; j < next.size(); ++j) next[j] += step * (bound[j] * sign(uphill[j]) - best[j]);
    if (next == best) break;
    const Slope there = slope_at(objective, subspace.moved(objective.at, next));
    ++out.passes;
    if (there.loss < out.highest) {
      step /= 2;
      continue;
    }
    out.highest = there.loss;
    best = std::move(next);
    uphill = subspace.transposed_times(there.gradient);
  }
  return out;
}

Sharpness sharpness(const Objective& objective, const Slope& start, Box box, double radius) {
  check(radius >= 0, "sharpness: expected a radius of 0 or more, found ", radius);
  Sharpness out{.loss = start.loss, .highest = start.loss};
  if (radius == 0) return out;
  const std::vector<float>& w = objective.at;
  std::vector<double> e(w.size()), gradient = start.gradient;
  std::vector<float> point(w.size());
  for (int step = 1; step <= kBoxSteps; ++step) {
    for (size_t i = 0; i < w.size(); ++i) {
      const auto at = static_cast<double>(w[i]);
      const double most = box == Box::absolute ? radius : radius * (std::fabs(at) + 1);
      e[i] = std::clamp(e[i] + 2 * most / kBoxSteps * sign(gradient[i]), -most, most);
      point[i] = static_cast<float>(at + e[i]);
    }
    out.highest = std::max(out.highest, objective.loss(point, step < kBoxSteps ? &gradient : nullptr));
    ++out.passes;
  }
  return out;
}

AverageRise average_rise(const Objective& objective, double loss, const AverageOptions& o) {
  check(o.sigma > 0 && o.draws >= 1, "average_rise: expected a deviation above 0 and at least one draw, found ",
        o.sigma, " and ", o.draws);
  std::vector<double> rises;
  for (int draw = 0; draw < o.draws; ++draw) {
    const RandomKey key{o.seed, stream_id("sharpness.average"), static_cast<uint32_t>(draw)};
    const std::vector<float> direction = standard_normal({objective.size()}, key).to_vector();
    rises.push_back(objective.loss(moved(objective.at, o.sigma, direction), nullptr) - loss);
  }
  const auto [mean, error] = mean_error(rises);
  return {.sigma = o.sigma, .mean = mean, .error = error, .draws = o.draws};
}

MeanError mean_error(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  MeanError out;
  for (const double v : values) out.mean += v / n;
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.error = std::sqrt(squares / (n - 1) / n);
  return out;
}

}  // namespace ntq
