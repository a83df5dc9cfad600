#pragma once
// How much the loss rises near a minimum: Keskar et al. (arXiv 1609.04836), as the NTQ paper's Table 3 has it.
#include "analyze/objective.h"
#include "analyze/subspace.h"

namespace ntq {

struct Sharpness {
  double loss = 0, highest = 0;  ///< at the point, and the highest that was seen in the box
  int64_t passes = 0;            ///< over the data, the one that gave `loss` aside
  double rise() const { return highest - loss; }
  double percent() const { return 100 * rise() / (1 + loss); }
};

// Both go up along signs of the gradient, sign(0) = +1, from `start` = slope_at(objective, objective.at). Radius 0
// gives a rise of 0; below throws std::invalid_argument.

/// Over w + A y, |y_i| <= radius (|b_i| + 1), A b = w by least squares: each step goes to the vertex that the gradient
/// points at, until that is where it stands or kMostVertices times; after a fall, half as far from the highest point.
/// Exact for a linear loss.
Sharpness sharpness(const Objective& objective, const Slope& start, const Subspace& subspace, double radius);
constexpr int kMostVertices = 10;

enum class Box {
  absolute,  ///< |e_i| <= radius: the paper's formula
  relative,  ///< |e_i| <= radius (|w_i| + 1): Keskar et al.
};
/// Over w + e, by `kBoxSteps` steps of 2 / kBoxSteps of the box.
Sharpness sharpness(const Objective& objective, const Slope& start, Box box, double radius);
constexpr int kBoxSteps = 10;

/// Mean of L(w + sigma eps) - L(w), eps standard normal, over some draws: about sigma^2 / 2 times the Hessian's trace.
struct AverageRise {
  double sigma = 0, mean = 0;
  double error = 0;  ///< standard error of the mean
  int draws = 0;
  double trace() const { return 2 * mean / (sigma * sigma); }
};
struct AverageOptions {
  double sigma = 1e-3;
  int draws = 16;
  uint64_t seed = 0;
};
AverageRise average_rise(const Objective& objective, double loss, const AverageOptions& options);

/// Mean and standard error of some numbers; the error of one alone is 0.
struct MeanError {
  double mean = 0, error = 0;
};
MeanError mean_error(const std::vector<double>& values);

}  // namespace ntq
