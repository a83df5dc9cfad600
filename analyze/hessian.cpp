#include "analyze/hessian.h"

#include <algorithm>
#include <cmath>

#include "analyze/sharpness.h"
#include "base/check.h"
#include "engine/ops/random.h"

namespace ntq {
namespace {

void check_options(const HessianOptions& o) {
  check(o.most >= 1 && o.tolerance >= 0, "hessian: expected one iteration or more and a tolerance of 0 or more, found ",
        o.most, " and ", o.tolerance);
}

/// PyHessian's rule.
bool settled(double value, double before, double tolerance) {
  return std::fabs(value - before) / (std::fabs(before) + 1e-6) < tolerance;
}

std::vector<float> random_signs(int64_t size, const RandomKey& key) {
  std::vector<float> out(static_cast<size_t>(size));
  for (size_t i = 0; i < out.size(); ++i) out[i] = (random_bits(key, i) & 1u) != 0 ? 1.0f : -1.0f;
  return out;
}

std::vector<float> unit(const std::vector<double>& v) {
  double squares = 0;
  for (const double x : v) squares += x * x;
  std::vector<float> out(v.size());
  for (size_t i = 0; i < v.size(); ++i) out[i] = static_cast<float>(v[i] / std::sqrt(squares));
  return out;
}

}  // namespace

std::vector<double> hessian_times(const Objective& objective, const std::vector<float>& v) {
  const double length = norm(v), size = norm(objective.at);
  check(length > 0, "hessian_times: the vector is zero");
  const double h = 1e-3 * (size > 0 ? size : 1.0);
  std::vector<double> up, down;
  objective.loss(moved(objective.at, h / length, v), &up);
  objective.loss(moved(objective.at, -h / length, v), &down);
  for (size_t i = 0; i < up.size(); ++i) up[i] = (up[i] - down[i]) / (2 * h) * length;
  return up;
}

TopEigenvalue top_eigenvalue(const Objective& objective, const HessianOptions& o) {
  check_options(o);
  const std::vector<float> start =
      standard_normal({objective.size()}, {o.seed, stream_id("hessian.top"), 0}).to_vector();
  std::vector<float> v = unit(std::vector<double>(start.begin(), start.end()));
  TopEigenvalue out;
  while (out.iterations < o.most && !out.converged) {
    const std::vector<double> product = hessian_times(objective, v);
    const double value = dot(v, product), before = out.value;
    out.value = value;
    if (value == 0 && std::all_of(product.begin(), product.end(), [](double x) { return x == 0; })) {
      out.converged = true;  // no curvature at all
    } else {
      out.converged = out.iterations > 0 && settled(value, before, o.tolerance);
      v = unit(product);
    }
    ++out.iterations;
  }
  return out;
}

TraceEstimate hessian_trace(const Objective& objective, const HessianOptions& o) {
  check_options(o);
  std::vector<double> draws;
  TraceEstimate out;
  while (out.draws < o.most && !out.converged) {
    const RandomKey key{o.seed, stream_id("hessian.trace"), static_cast<uint32_t>(out.draws)};
    const std::vector<float> v = random_signs(objective.size(), key);
    draws.push_back(dot(v, hessian_times(objective, v)));
    const double before = out.value;
    const MeanError estimate = mean_error(draws);
    out.value = estimate.mean, out.error = estimate.error;
    out.converged = ++out.draws > 1 && settled(out.value, before, o.tolerance);
  }
  return out;
}

}  // namespace ntq
