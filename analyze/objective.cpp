#include "analyze/objective.h"

#include <cmath>

#include "base/check.h"

namespace ntq {

Slope slope_at(const Objective& objective, const std::vector<float>& w) {
  Slope out;
  out.loss = objective.loss(w, &out.gradient);
  return out;
}

std::vector<float> moved(const std::vector<float>& a, double factor, const std::vector<float>& b) {
  check(a.size() == b.size(), "moved: expected ", a.size(), " numbers, found ", b.size());
  std::vector<float> out(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    out[i] = static_cast<float>(static_cast<double>(a[i]) + factor * static_cast<double>(b[i]));
  }
  return out;
}

double dot(const std::vector<float>& a, const std::vector<double>& b) {
  check(a.size() == b.size(), "dot: expected ", a.size(), " numbers, found ", b.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double norm(const std::vector<float>& a) {
  double sum = 0;
  for (const float value : a) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

}  // namespace ntq
