#pragma once
// The loss along random lines through a network: Li et al., "Visualizing the Loss Landscape of Neural Nets" (arXiv
// 1712.09913).
#include "analyze/objective.h"

namespace ntq {

/// Scales each filter of `direction` (a slice along the first axis of a part of rank 2 or more) to the length of that
/// of `w`; all else (biases, batch norm, steps) becomes 0.
void normalise_filters(const Objective& objective, std::vector<float>& direction);

struct LandscapeOptions {
  int directions = 5;
  int points = 51;  ///< on each line, at equal distances from -1 to 1; odd, so that the network itself is among them
  uint64_t seed = 0;
};

/// Gaussian of Philox (seed, stream "landscape", step `number`), normalise_filters().
std::vector<float> random_direction(const Objective& objective, uint64_t seed, uint32_t number);

struct Landscape {
  std::vector<double> at;                 ///< a of w + a d
  std::vector<std::vector<double>> loss;  ///< of each direction, at each a
  std::vector<double> mean, low, high;    ///< over the directions, at each a
};
Landscape landscape(const Objective& objective, const LandscapeOptions& options = {});
Landscape landscape(const Objective& objective, int points, const std::vector<std::vector<float>>& directions);

/// The loss at w + a d1 + b d2: a row for each a, `points` values of b in it.
struct Plane {
  std::vector<double> at;
  std::vector<std::vector<double>> loss;
};
Plane plane(const Objective& objective, int points, const std::vector<float>& d1, const std::vector<float>& d2);

}  // namespace ntq
