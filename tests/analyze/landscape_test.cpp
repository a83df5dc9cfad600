#include "analyze/landscape.h"

#include <doctest/doctest.h>

#include "tests/analyze/losses.h"

using namespace ntq;
using namespace ntq::test;
using doctest::Approx;

namespace {

const Objective kRound = quadratic({3, 4}, {{1, 0}, {0, 1}});

}  // namespace

TEST_CASE("landscape: a direction has each filter's length, and the loss along it") {
  std::vector<float> direction{1, 0};
  normalise_filters(kRound, direction);
  CHECK(direction[0] == Approx(5));
  CHECK(direction[1] == 0);
  const Landscape found = landscape(kRound, 3, {direction});
  CHECK(found.at == std::vector<double>{-1, 0, 1});
  CHECK(found.loss[0][0] == Approx(10));
  CHECK(found.loss[0][1] == Approx(12.5));
  CHECK(found.loss[0][2] == Approx(40));
}

TEST_CASE("landscape: filter by filter; biases, norms and steps stay") {
  Objective two = straight({3, 4, 0, 2, 9}, {1, 1, 1, 1, 1});
  two.parts = {{"conv.weight", {2, 1, 1, 2}, 0}, {"bn.bias", {1}, 4}};
  std::vector<float> direction{0, 2, 1, 1, 7};
  normalise_filters(two, direction);
  CHECK(direction[1] == Approx(5));
  CHECK(direction[2] == Approx(std::sqrt(2)));
  CHECK(direction[4] == 0);
}

TEST_CASE("landscape: mean and range over random directions, the network itself in the middle") {
  const Landscape found = landscape(kRound, {.directions = 4, .points = 5, .seed = 3});
  REQUIRE(found.loss.size() == 4);
  CHECK(found.mean[2] == Approx(12.5));
  for (size_t i : {0u, 1u, 3u, 4u}) {
    CHECK(found.low[i] < found.mean[i]);
    CHECK(found.mean[i] < found.high[i]);
  }
  CHECK(landscape(kRound, {.directions = 4, .points = 5, .seed = 3}).loss == found.loss);
  CHECK(random_direction(kRound, 3, 1) != random_direction(kRound, 4, 1));
  CHECK_THROWS_AS(landscape(kRound, {.points = 4}), std::invalid_argument);
  CHECK_THROWS_AS(landscape(kRound, {.directions = 0}), std::invalid_argument);
}

TEST_CASE("plane: both directions") {
  const Plane found = plane(kRound, 3, {5, 0}, {0, 5});
  CHECK(found.loss[0][0] == Approx(0.5 * (4 + 1)));
  CHECK(found.loss[2][0] == Approx(0.5 * (64 + 1)));
  CHECK(found.loss[0][2] == Approx(0.5 * (4 + 81)));
}
