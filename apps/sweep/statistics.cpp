#include "apps/sweep/statistics.h"

#include <cmath>

#include "base/check.h"

namespace ntq::apps {
namespace {

/// The regularised incomplete beta function I_x(a, b) for x < (a + 1) / (a + b + 2): its continued fraction, from the
/// front (DLMF 8.17.22, by Lentz's method).
double incomplete_beta(double a, double b, double x) {
  constexpr double kTiny = 1e-300, kExact = 1e-15;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x)) / a;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double fraction = d;
  const auto step = [&](double coefficient) {
    d = 1 + coefficient * d;
    d = 1 / (std::abs(d) < kTiny ? kTiny : d);
    c = 1 + coefficient / c;
    if (std::abs(c) < kTiny) c = kTiny;
    fraction *= d * c;
    return std::abs(d * c - 1) < kExact;
  };
  for (int m = 1; m <= 500; ++m) {
    step(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
    if (step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)))) break;
  }
  return front * fraction;
}

/// P(T > t), t > 0: half of I_x(v/2, 1/2), x = v / (v + t^2).
double student_tail(double t, double v) {
  const double x = v / (v + t * t), a = v / 2, b = 0.5;
  const double share =
      x < (a + 1) / (a + b + 2) ? incomplete_beta(a, b, x) : 1 - incomplete_beta(b, a, t * t / (v + t * t));
  return share / 2;
}

}  // namespace

double student_quantile(double probability, int64_t degrees) {
  check(probability >= 0.5 && probability < 1, "student_quantile: expected a probability in [0.5, 1), found ",
        probability);
  check(degrees >= 1, "student_quantile: expected 1 degree of freedom or more, found ", degrees);
  if (probability == 0.5) return 0;
  const auto above = [&](double t) { return student_tail(t, static_cast<double>(degrees)) > 1 - probability; };
  double low = 0, high = 1;
  while (above(high)) low = high, high *= 2;
  for (int i = 0; i < 100; ++i) (above((low + high) / 2) ? low : high) = (low + high) / 2;
  return high;
}

Spread spread_of(const BySeed& values) {
  Spread out{.n = static_cast<int64_t>(values.size())};
  const auto n = static_cast<double>(out.n);
  for (const auto& entry : values) out.mean += entry.second / n;
  if (out.n < 2) return out;
  double squares = 0;
  for (const auto& entry : values) squares += (entry.second - out.mean) * (entry.second - out.mean);
  out.deviation = std::sqrt(squares / (n - 1));
  return out;
}

PairedDifference paired_difference(const BySeed& values, const BySeed& baseline) {
  BySeed differences;
  for (const auto& [seed, value] : values) {
    const auto other = baseline.find(seed);
    if (other != baseline.end()) differences[seed] = value - other->second;
  }
  const Spread spread = spread_of(differences);
  PairedDifference out{.n = spread.n, .mean = spread.mean};
  if (spread.deviation) {
    out.half_width =
        student_quantile(0.975, spread.n - 1) * *spread.deviation / std::sqrt(static_cast<double>(spread.n));
  }
  return out;
}

}  // namespace ntq::apps
