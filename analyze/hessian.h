#pragma once
// The largest eigenvalue of a loss's Hessian and its trace, as PyHessian measures them (arXiv 1912.07145): by products
// with vectors. Autograd here has no second order: products are differences of gradients.
#include "analyze/objective.h"

namespace ntq {

/// (g(w + h u) - g(w - h u)) / 2h times |v|, u = v / |v|, h = 1e-3 |w| (1e-3 at w = 0): two gradients. Through
/// activation quantizers these are straight-through gradients, so the Hessian is one of that surrogate.
std::vector<double> hessian_times(const Objective& objective, const std::vector<float>& v);

struct HessianOptions {
  int most = 100;           ///< iterations, and draws
  double tolerance = 1e-3;  ///< relative change that ends either
  uint64_t seed = 0;
};

/// Of the largest size, by power iteration from a random direction.
struct TopEigenvalue {
  double value = 0;
  int iterations = 0;
  bool converged = false;
};
TopEigenvalue top_eigenvalue(const Objective& objective, const HessianOptions& options = {});

/// Mean of v^T H v over random signs v (Hutchinson).
struct TraceEstimate {
  double value = 0, error = 0;  ///< standard error
  int draws = 0;
  bool converged = false;
};
TraceEstimate hessian_trace(const Objective& objective, const HessianOptions& options = {});

}  // namespace ntq
