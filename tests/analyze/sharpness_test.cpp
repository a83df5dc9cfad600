#include "analyze/sharpness.h"

#include <doctest/doctest.h>

#include "engine/random.h"
#include "tests/analyze/losses.h"

using namespace ntq;
using namespace ntq::test;
using doctest::Approx;

namespace {

MatrixRow rows_of(std::vector<std::vector<double>> values) {
  return [values](int64_t row, std::span<double> entries) {
    std::copy(values[static_cast<size_t>(row)].begin(), values[static_cast<size_t>(row)].end(), entries.begin());
  };
}

double rise(const Objective& objective, Box box, double radius) {
  return sharpness(objective, start_of(objective), box, radius).rise();
}

const Objective kQuadratic = quadratic({0, 0.5f, -1}, {{1, 0, 0}, {0, 2, 0}, {0, 0, 4}});

}  // namespace

TEST_CASE("full box: a linear loss rises by the radius times the sum of its slopes") {
  CHECK(rise(straight({1, -2, 3}, {0.5, -2, 0}), Box::absolute, 0.1) == Approx(0.25).epsilon(1e-6));
}

TEST_CASE("full box: a quadratic, both boxes; a slope of zero goes up too") {
  const Sharpness absolute = sharpness(kQuadratic, start_of(kQuadratic), Box::absolute, 0.1);
  CHECK(absolute.loss == Approx(2.25));
  CHECK(absolute.rise() == Approx(0.535).epsilon(1e-6));
  CHECK(absolute.percent() == Approx(16.4615).epsilon(1e-5));
  CHECK(absolute.passes == kBoxSteps);
  const Sharpness relative = sharpness(kQuadratic, start_of(kQuadratic), Box::relative, 0.1);
  CHECK(relative.rise() == Approx(1.0575).epsilon(1e-6));
  CHECK(relative.percent() == Approx(32.5385).epsilon(1e-5));
}

TEST_CASE("full box: logistic loss") {
  const Objective logistic = objective_of({1, -2}, [](const std::vector<double>& w, std::vector<double>& g) {
    const double z = 3 * w[0] + w[1], p = -1 / (1 + std::exp(z));
    g = {3 * p, p};
    return std::log1p(std::exp(-z));
  });
  const Sharpness found = sharpness(logistic, start_of(logistic), Box::absolute, 0.1);
  CHECK(found.loss == Approx(0.3132617).epsilon(1e-6));
  CHECK(found.highest == Approx(0.4374880).epsilon(1e-6));
  CHECK(found.percent() == Approx(9.4594).epsilon(1e-5));
}

TEST_CASE("subspace: one step reaches the vertex, the second finds nothing higher") {
  const Objective sum = straight({3, 4}, {1, 1});
  const Subspace line(2, 1, rows_of({{0.6}, {0.8}}));
  CHECK(line.coordinates({3, 4})[0] == Approx(5));
  const Sharpness found = sharpness(sum, start_of(sum), line, 0.01);
  CHECK(found.rise() == Approx(0.084).epsilon(1e-5));
  CHECK(found.passes == 1);
}

TEST_CASE("subspace: after a fall half as far from the highest point") {
  // Up to y = 3 and down behind it; the vertex is at 6 (b = 5, radius 1).
  const Objective roof = objective_of({3, 4}, [](const std::vector<double>& w, std::vector<double>& g) {
    const double y = 0.6 * (w[0] - 3) + 0.8 * (w[1] - 4), up = y < 3 ? 1 : -2;
    g = {0.6 * up, 0.8 * up};
    return y < 3 ? y : 3 - 2 * (y - 3);
  });
  const Subspace line(2, 1, rows_of({{0.6}, {0.8}}));
  const Sharpness found = sharpness(roof, start_of(roof), line, 1);
  CHECK(found.highest == Approx(3).epsilon(1e-6));
  CHECK(found.passes <= kMostVertices);
}

TEST_CASE("subspace: least squares, columns of length 1, refusals") {
  const Subspace two(3, 2, rows_of({{2, 0}, {0, 3}, {0, 4}}));  // columns (1,0,0) and (0,.6,.8)
  const std::vector<double> b = two.coordinates({5, 1, 2});
  CHECK(b[0] == Approx(5));
  CHECK(b[1] == Approx(0.6 + 1.6));
  CHECK(two.transposed_times({1, 2, 3})[1] == Approx(1.2 + 2.4));
  CHECK(two.moved({1, 1, 1}, {2, -1})[2] == Approx(0.2));
  const Subspace twice(2, 2, rows_of({{1, 1}, {1, 1}}));
  CHECK_THROWS_AS(twice.coordinates({1, 2}), std::invalid_argument);
  CHECK_THROWS_AS(Subspace(2, 3, random_rows(0, 0)), std::invalid_argument);
}

TEST_CASE("subspace: entries are Philox's, in [0, 1), and others for another draw") {
  const MatrixRow row = random_rows(7, 0), other = random_rows(7, 1);
  for (const size_t columns : {size_t{3}, size_t{100}}) {
    std::vector<double> entries(columns), of_other(columns);
    for (const int64_t i : {int64_t{0}, int64_t{5}, int64_t{60'000'000}}) {
      row(i, entries);
      other(i, of_other);
      CHECK(entries != of_other);
      for (size_t j = 0; j < columns; ++j) {
        const RandomKey key{.seed = 7, .stream = stream_id("sharpness"), .step = 0};
        CHECK(entries[j] == double{random_unit(key, static_cast<uint64_t>(i) * columns + j)});
      }
    }
  }
}

TEST_CASE("radius 0 gives 0, a radius below it is refused") {
  const Subspace three(3, 2, random_rows(1, 0));
  CHECK(sharpness(kQuadratic, start_of(kQuadratic), three, 0).rise() == 0);
  CHECK(rise(kQuadratic, Box::relative, 0) == 0);
  CHECK_THROWS_AS(rise(kQuadratic, Box::absolute, -1), std::invalid_argument);
  CHECK_THROWS_AS(sharpness(kQuadratic, start_of(kQuadratic), three, -1), std::invalid_argument);
}

TEST_CASE("average rise: half the variance times the trace") {
  const Objective round = quadratic(std::vector<float>(3, 1), {{1, 0, 0}, {0, 2, 0}, {0, 0, 4}});
  const AverageRise found = average_rise(round, start_of(round).loss, {.sigma = 1, .draws = 20000});
  CHECK(std::abs(found.mean - 3.5) < 5 * found.error);
  CHECK(found.error < 0.06);
  CHECK(found.trace() == Approx(2 * found.mean));
  CHECK_THROWS_AS(average_rise(round, 0, {.sigma = 0}), std::invalid_argument);
}

TEST_CASE("a quantized weight: master weights rise by codes, the effective one smoothly") {
  WeightsAlone network({0.7f}, {.method = "lsq", .bits = 4});
  network.fix_step(0.5f);
  DataLoader loader = loader_of(1);
  const auto found = [&](Where where) {
    const ModelLoss loss(network, loader, {.where = where, .loss = half_squares});
    const Objective& objective = loss.objective();
    CHECK(objective.at.size() == 1);
    return sharpness(objective, start_of(objective), Box::absolute, 0.1);
  };
  const Sharpness master = found(Where::master), effective = found(Where::effective);
  CHECK(master.loss == Approx(0.125));
  CHECK(master.highest == Approx(0.5));
  CHECK(effective.loss == Approx(0.125));
  CHECK(effective.highest == Approx(0.18).epsilon(1e-5));
}
