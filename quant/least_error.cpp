#include "quant/least_error.h"

#include <cmath>

namespace ntq {

double least_error_step(const Tensor& x, QuantRange range, double start) {
  double best = start, least = HUGE_VAL;
  const auto look = [&](double center, double ratio, int steps) {
    std::vector<double> tried;
    for (int i = -steps; i <= steps; ++i) tried.push_back(center * std::pow(ratio, i));
    const std::vector<double> errors = quantize_errors(x, tried, range);
    for (size_t i = 0; i < tried.size(); ++i) {
      if (errors[i] < least) least = errors[i], best = tried[i];
    }
  };
  look(start, std::exp2(0.25), 20);
  look(best, std::exp2(1.0 / 16), 3);
  look(best, std::exp2(1.0 / 32), 1);
  return best;
}

}  // namespace ntq
