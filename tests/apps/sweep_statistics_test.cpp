// Means, spreads and paired intervals against tables and hand-computed values.
#include "apps/sweep/statistics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

using namespace ntq::apps;
using doctest::Approx;

TEST_CASE("Student's quantiles are those of the tables") {
  const std::pair<int64_t, double> tabulated[] = {{1, 12.7062}, {2, 4.30265},  {4, 2.77645},   {7, 2.36462},
                                                  {9, 2.26216}, {30, 2.04227}, {1000, 1.96234}};
  for (const auto& [degrees, t] : tabulated) CHECK(student_quantile(0.975, degrees) == Approx(t).epsilon(2e-6));
  CHECK(student_quantile(0.95, 5) == Approx(2.01505).epsilon(2e-6));
  CHECK(student_quantile(0.9995, 3) == Approx(12.9240).epsilon(2e-6));
  CHECK(student_quantile(0.75, 1) == Approx(1));  // a Cauchy variable's quartile
  CHECK(student_quantile(0.5, 3) == 0);
  CHECK_THROWS_AS(student_quantile(1, 3), std::invalid_argument);
  CHECK_THROWS_AS(student_quantile(0.975, 0), std::invalid_argument);
}

TEST_CASE("mean and sample deviation") {
  const Spread spread = spread_of({{0, 1}, {1, 2}, {2, 6}});
  CHECK(spread.n == 3);
  CHECK(spread.mean == Approx(3));
  CHECK(*spread.deviation == Approx(std::sqrt(7.0)));  // (4 + 1 + 9) / 2
  CHECK_FALSE(spread_of({{0, 5}}).deviation);
  CHECK(spread_of({}).n == 0);
}

TEST_CASE("differences are paired by seed") {
  // Three seeds of W4A4 in docs/results.md: d = .01, .44, .26, s = .2159.
  const BySeed ntq = {{0, 91.08}, {1, 91.23}, {2, 91.11}}, lsq = {{0, 91.07}, {1, 90.79}, {2, 90.85}};
  const PairedDifference d = paired_difference(ntq, lsq);
  CHECK(d.n == 3);
  CHECK(d.mean == Approx(0.2367).epsilon(1e-3));
  CHECK(*d.half_width == Approx(0.536).epsilon(1e-3));
  CHECK_FALSE(d.decided());
  CHECK(paired_difference({{0, 2}, {1, 3}}, {{0, 1}, {1, 2}}).decided());  // exactly 1, twice
  const PairedDifference one = paired_difference({{0, 2}, {7, 9}}, {{0, 1}, {8, 9}});
  CHECK(one.n == 1);
  CHECK(one.mean == 1);
  CHECK_FALSE(one.half_width);
}
