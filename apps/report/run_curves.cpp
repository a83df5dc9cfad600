// What changed while a run was trained: by epoch, by step, by layer.
#include <algorithm>
#include <cmath>

#include "apps/report/run_page.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

Series column_series(const CsvTable& table, const char* x, const char* y, const std::string& name) {
  return {.name = name, .points = {table.numbers(x), table.numbers(y)}};
}

/// Those of the columns that the table has.
LineChart by_epoch(const RunFacts& facts, const std::string& title,
                   const std::vector<std::pair<const char*, const char*>>& columns) {
  LineChart chart{.title = title, .x_name = "epoch", .series = {}};
  for (const auto& [column, name] : columns) {
    if (facts.epochs.has(column)) chart.series.push_back(column_series(facts.epochs, "epoch", column, name));
  }
  return chart;
}

LineChart by_step(const RunFacts& facts, const std::string& title, const char* column) {
  return {.title = title, .x_name = "step", .series = {column_series(facts.steps, "step", column, "")}};
}

bool has_values(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v) && v != 0; });
}

/// A row for each layer, a column for each epoch; `relative`: to the first epoch that has a value.
HeatMap by_layer(const CsvTable& table, const std::string& title, const char* column, bool relative) {
  HeatMap map{.title = title, .x_name = "epoch", .rows = {}, .values = {}};
  const auto layer = table.texts("layer");
  const auto value = table.numbers(column), epoch = table.numbers("epoch");
  for (size_t i = 0; i < value.size() && i < layer.size() && i < epoch.size(); ++i) {
    const auto at = static_cast<size_t>(std::find(map.rows.begin(), map.rows.end(), layer[i]) - map.rows.begin());
    if (at == map.rows.size()) map.rows.push_back(layer[i]), map.values.emplace_back();
    map.values[at].push_back(value[i]);
    map.last = epoch[i];
  }
  if (!epoch.empty()) map.first = epoch.front();
  for (auto& row : map.values) {
    const auto first = std::find_if(row.begin(), row.end(), [](double v) { return std::isfinite(v) && v != 0; });
    const double base = first == row.end() ? NAN : *first;
    for (double& v : row) v = relative ? v / base : v;
  }
  return map;
}

}  // namespace

Points smoothed(const std::vector<double>& steps, const std::vector<double>& values, double decay) {
  Points out;
  double mean = 0, weight = 0, last = steps.size() > 1 ? 2 * steps[0] - steps[1] : NAN;
  for (size_t i = 0; i < steps.size() && i < values.size(); ++i) {
    if (!std::isfinite(steps[i]) || !std::isfinite(values[i])) continue;
    // Rows that are several steps apart stand for all of these.
    const double keep = std::pow(decay, std::isfinite(last) ? std::max(steps[i] - last, 1.0) : 1.0);
    mean = keep * mean + (1 - keep) * values[i];
    weight = keep * weight + (1 - keep);
    out.x.push_back(steps[i]), out.y.push_back(mean / weight);
    last = steps[i];
  }
  return out;
}

void add_curves(Page& page, const RunFacts& facts) {
  if (facts.epochs.rows.empty()) return;
  page.section("Training");
  std::vector<std::string> figures = {
      figure_of(
          by_epoch(facts, "Loss (cross entropy)",
                   {{"train_loss", "training"}, {"val_loss", "validation"}, {"ema_val_loss", "average of weights"}}),
          page.hover()),
      figure_of(
          by_epoch(facts, "Top-1, percent",
                   {{"train_top1", "training"}, {"val_top1", "validation"}, {"ema_val_top1", "average of weights"}}),
          page.hover())};
  if (!facts.steps.rows.empty()) {
    LineChart loss = by_step(facts, "Training loss by step", "loss");
    loss.series[0].name = "of a batch";
    loss.series.push_back({"smoothed", smoothed(facts.steps.numbers("step"), facts.steps.numbers("loss"), 0.99)});
    figures.push_back(figure_of(loss, page.hover()));
    figures.push_back(figure_of(by_step(facts, "Learning rate", "lr"), page.hover()));
  } else {
    figures.push_back(figure_of(by_epoch(facts, "Learning rate", {{"lr", ""}}), page.hover()));
  }
  page.figures(figures);
}

void add_quantization_curves(Page& page, const RunFacts& facts) {
  struct Curve {
    const char *column, *title;
  };
  constexpr Curve kCurves[] = {{"mean_step", "Mean step of the weights"},
                               {"mean_error", "Mean |Q(w) - w|"},
                               {"mean_max_weight", "Mean over layers of max |w|"},
                               {"oscillating", "Share of weights that oscillate"},
                               {"clipped", "Share of weights beyond the grid"}};
  std::vector<std::string> figures;
  for (const Curve& curve : kCurves) {
    if (has_values(facts.steps.numbers(curve.column))) {
      figures.push_back(figure_of(by_step(facts, curve.title, curve.column), page.hover()));
    } else if (has_values(facts.epochs.numbers(curve.column))) {
      figures.push_back(figure_of(by_epoch(facts, curve.title, {{curve.column, ""}}), page.hover()));
    }
  }
  struct Map {
    const char *column, *title;
    bool relative;
  };
  constexpr Map kMaps[] = {{"step", "Step of each layer, relative to its first", true},
                           {"error", "Mean |Q(w) - w| of each layer, relative to its first", true},
                           {"max_weight", "max |w| of each layer, relative to its first", true},
                           {"oscillating", "Share of each layer's weights that oscillate", false},
                           {"clipped", "Share of each layer's weights beyond the grid", false}};
  for (const Map& map : kMaps) {
    if (has_values(facts.layers.numbers(map.column))) {
      figures.push_back(figure_of(by_layer(facts.layers, map.title, map.column, map.relative)));
    }
  }
  if (figures.empty()) return;
  page.section("Quantization while training");
  page.figures(figures);
}

}  // namespace ntq::apps
