#pragma once
// A loss as a function of one long vector: what analyses of a point's surroundings look at.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/shape.h"

namespace ntq {

/// A tensor's place in the vector.
struct Part {
  std::string name;
  Shape shape;
  int64_t begin = 0;
};

struct Objective {
  std::vector<float> at;    ///< the point whose surroundings are looked at
  std::vector<Part> parts;  ///< what it is made of, without gaps
  /// The loss at `w`; with `gradient`, which may be null, also its gradient there. The loss is the same either way.
  /// Throws DivergedError where it is not finite.
  std::function<double(const std::vector<float>& w, std::vector<double>* gradient)> loss;

  int64_t size() const { return static_cast<int64_t>(at.size()); }
};

/// Height and slope at a point.
struct Slope {
  double loss = 0;
  std::vector<double> gradient;
};
Slope slope_at(const Objective& objective, const std::vector<float>& w);

/// a + factor * b, rounded once.
std::vector<float> moved(const std::vector<float>& a, double factor, const std::vector<float>& b);
double dot(const std::vector<float>& a, const std::vector<double>& b);
double norm(const std::vector<float>& a);

}  // namespace ntq
