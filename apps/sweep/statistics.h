#pragma once
// What several seeds say: mean, spread, and differences of runs that share their seeds.
#include <cstdint>
#include <map>
#include <optional>

namespace ntq::apps {

/// One value for each seed.
using BySeed = std::map<int64_t, double>;

struct Spread {
  int64_t n = 0;
  double mean = 0;                       ///< 0 of no values
  std::optional<double> deviation = {};  ///< of the sample, by n - 1; none of fewer than two values
};
Spread spread_of(const BySeed& values);

/// The t that a variable of Student's distribution stays below with `probability`, in [0.5, 1); degrees >= 1.
double student_quantile(double probability, int64_t degrees);

/// Mean of value - baseline over the seeds that both have, and half the width of its 95% interval,
/// t(n - 1, 0.975) s / sqrt(n); none of fewer than two pairs.
struct PairedDifference {
  int64_t n = 0;
  double mean = 0;
  std::optional<double> half_width = {};
  /// The interval says which of the two is larger.
  bool decided() const { return half_width && (mean > *half_width || mean < -*half_width); }
};
PairedDifference paired_difference(const BySeed& values, const BySeed& baseline);

}  // namespace ntq::apps
