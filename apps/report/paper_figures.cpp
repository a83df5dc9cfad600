#include "apps/report/paper_figures.h"

#include <algorithm>
#include <cmath>

#include "apps/config.h"
#include "apps/report/run_page.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {

double noise_ratio(double x, double c, double k) { return (x + c * std::exp(-k * x) * std::sqrt(x)) / x; }

LineChart figure_2a(double c, double k) {
  LineChart chart{.title = concat("Figure 2A: error with noise over error, c = ", general(c)),
                  .x_name = "error x = |Q(w) - w|",
                  .series = {},
                  .log_x = true,
                  .log_y = true,
                  .note = "(x + c exp(-k x) sqrt(x)) / x: tempering (k) takes the noise from large errors"};
  std::vector<double> ks = {k, 0, 10, 50};
  ks.erase(std::remove(ks.begin() + 1, ks.end(), k), ks.end());
  for (const double each : ks) {
    Points p;
    for (int i = 0; i <= 100; ++i) {
      p.x.push_back(std::pow(10, -3 + i / 50.0));
      p.y.push_back(noise_ratio(p.x.back(), c, each));
    }
    chart.series.push_back({"k = " + general(each), p});
  }
  return chart;
}

LineChart figure_2b() {
  LineChart chart{.title = "Figure 2B: Q(w), 2 bits, for several steps s",
                  .x_name = "w",
                  .series = {},
                  .note = "s clip(round(w / s), -2, 1)"};
  for (const double s : {0.2, 0.4, 0.6}) {
    // From corner to corner: code q stands for q - 0.5 to q + 0.5 steps, those at the ends for all that is beyond.
    Points p;
    for (int q = -2; q <= 1; ++q) {
      p.x.insert(p.x.end(), {q == -2 ? -1 : (q - 0.5) * s, q == 1 ? 1 : (q + 0.5) * s});
      p.y.insert(p.y.end(), {q * s, q * s});
    }
    chart.series.push_back({"s = " + general(s), p});
  }
  return chart;
}

void add_paper_figures(Page& page, const RunFacts& facts) {
  std::vector<std::string> figures;
  if (facts.given && facts.given->quantized()) {
    const Json config = config_to_json(*facts.given, JsonPart::all);
    const Json quant = config.value("quant", Json::object());
    const double c = number_at(quant, "noise"), k = number_at(quant, "noise_k");
    figures = {figure_of(figure_2a(std::isfinite(c) ? c : 0.2, std::isfinite(k) ? k : 50), page.hover()),
               figure_of(figure_2b(), page.hover())};
  }
  const std::vector<double> weights = facts.steps.numbers("mean_max_weight");
  if (std::any_of(weights.begin(), weights.end(), [](double w) { return std::isfinite(w); })) {
    figures.push_back(figure_of(LineChart{.title = "Figure 3: mean over layers of max |w|",
                                          .x_name = "step",
                                          .series = {{"", smoothed(facts.steps.numbers("step"), weights)}},
                                          .note = "smoothed by 0.999 a step"},
                                page.hover()));
  }
  if (figures.empty()) return;
  page.section("Figures of the NTQ paper");
  page.figures(figures);
}

}  // namespace ntq::apps
