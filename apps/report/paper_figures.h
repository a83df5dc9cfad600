#pragma once
// Figures of the NTQ paper (arXiv 2212.05603), from their formulas.
#include "apps/report/chart.h"

namespace ntq::apps {

/// Figure 2A: (x + c exp(-k x) sqrt(x)) / x, what the noise makes of a quantization error x.
double noise_ratio(double x, double c, double k);
LineChart figure_2a(double c, double k);
/// Figure 2B: Q(w) of signed weights of 2 bits at several steps.
LineChart figure_2b();

}  // namespace ntq::apps
