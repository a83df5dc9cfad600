// The layers of a network: a table, their weights with the grid drawn in, and what each costs in accuracy.
#include <cmath>
#include <utility>

#include "apps/report/run_page.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

/// The object of the list `layers` of an analysis that has this name; null without one.
Json layer_of(const RunFacts& facts, const char* analysis, const std::string& name) {
  const auto found = facts.analyses.find(analysis);
  if (found == facts.analyses.end()) return {};
  for (const Json& layer : list_at(found->second, "layers")) {
    if (layer.is_object() && layer.value("name", Json()) == name) return layer;
  }
  return {};
}

Json part_of(const Json& json, const char* key) { return json.is_object() && json.contains(key) ? json[key] : Json(); }

/// By how much a layer raises the loss alone, and lowers it when it is left out.
struct Cost {
  double only = NAN, without = NAN;
};
Cost cost_of(const RunFacts& facts, const std::string& name) {
  const Json layer = layer_of(facts, "sensitivity", name);
  if (layer.is_null()) return {};
  const Json& all = facts.analyses.at("sensitivity");
  return {number_at(part_of(layer, "only"), "loss") - number_at(part_of(all, "none"), "loss"),
          number_at(part_of(all, "all"), "loss") - number_at(part_of(layer, "without"), "loss")};
}

std::string bits_cell(int bits) { return bits == 32 ? "fp" : std::to_string(bits); }
std::string number_cell(double value, int digits = 4) { return std::isfinite(value) ? general(value, digits) : "-"; }
std::string fixed_cell(double value, int digits) { return std::isfinite(value) ? fixed(value, digits) : "-"; }

/// NaN for a layer that is not computed by itself.
double macs_of(const NetworkFacts& network, const std::string& name) {
  for (const LayerCost& cost : network.costs) {
    if (cost.name == name) return static_cast<double>(cost.macs);
  }
  return NAN;
}

HtmlRows layer_rows(const RunFacts& facts) {
  const NetworkFacts& network = *facts.network;
  const bool outputs = facts.analyses.contains("histograms"), costs = facts.analyses.contains("sensitivity");
  std::vector<std::string> heading = {"layer",  "weights",    "MMACs", "w bits", "x bits",    "step w",
                                      "step x", "|Q(w) - w|", "low",   "high",   "clipped %", "SQNR w"};
  if (outputs) heading.emplace_back("SQNR out");
  if (costs) heading.insert(heading.end(), {"alone", "without"});
  HtmlRows rows = {{}};
  for (const auto& name : heading) rows[0].push_back({name});
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const LayerReport& layer = network.layers[i];
    const LayerHistogram* h = i < network.histograms.size() ? &network.histograms[i] : nullptr;
    const bool quantized = layer.weight_bits != 32;
    const auto of_weights = [&](double value) { return quantized ? number_cell(value) : "-"; };
    rows.push_back({{layer.name},
                    {std::to_string(layer.weights)},
                    {fixed_cell(macs_of(network, layer.name) / 1e6, 3)},
                    {bits_cell(layer.weight_bits)},
                    {bits_cell(layer.input_bits)},
                    {of_weights(layer.weight_step)},
                    {layer.input_bits == 32 ? "-" : number_cell(layer.input_step)},
                    {of_weights(layer.weight_error)},
                    {fixed(layer.weight_min, 3)},
                    {fixed(layer.weight_max, 3)},
                    {quantized && h != nullptr ? fixed(100 * h->clipped, 2) : "-"},
                    {quantized && h != nullptr ? fixed_cell(h->sqnr, 2) : "-"}});
    if (outputs)
      rows.back().push_back({fixed_cell(number_at(layer_of(facts, "histograms", layer.name), "output_sqnr"), 2)});
    if (!costs) continue;
    const Cost cost = cost_of(facts, layer.name);
    rows.back().push_back({fixed_cell(cost.only, 4)});
    rows.back().push_back({fixed_cell(cost.without, 4)});
  }
  return rows;
}

std::string weights_figure(const LayerHistogram& h) {
  return figure_of(HistogramChart{
      .title = concat(h.name, h.bits == 32 ? "" : concat(", ", h.bits, " bits")),
      .low = h.low,
      .high = h.high,
      .counts = h.counts,
      .marks = h.levels,
  });
}

}  // namespace

void add_layers(Page& page, const RunFacts& facts) {
  if (!facts.network) return;
  const NetworkFacts& network = *facts.network;
  page.section("Layers");
  page.paragraph(concat("Of ", network.file, ", after epoch ", network.epoch, ". SQNR in dB: 20 log10 of signal over ",
                        "quantization error.",
                        facts.analyses.contains("sensitivity")
                            ? " alone: loss that is added when this layer alone is quantized; without: loss that goes "
                              "when all but it are."
                            : "",
                        " A click on a heading sorts."),
                 "note");
  for (const auto& [name, columns] :
       {std::pair("histograms", "SQNR out"), std::pair("sensitivity", "alone, without")}) {
    const auto found = facts.analyses.find(name);
    if (found != facts.analyses.end()) page.paragraph(concat(columns, ": of ", source_of(found->second), "."), "note");
  }
  page.table(layer_rows(facts));
  if (facts.analyses.contains("sensitivity")) {
    BarChart only{.title = "Loss that a layer adds, quantized alone", .rows = {}};
    BarChart without{.title = "Loss that goes when a layer is left out", .rows = {}};
    for (const LayerReport& layer : network.layers) {
      const Cost cost = cost_of(facts, layer.name);
      if (std::isfinite(cost.only)) only.rows.push_back({layer.name, {cost.only}});
      if (std::isfinite(cost.without)) without.rows.push_back({layer.name, {cost.without}});
    }
    page.figures({figure_of(only), figure_of(without)});
  }
  if (network.histograms.empty()) return;
  page.section("Weights and their grid");
  page.paragraph("Weights as they are quantized, in 128 bins; lines: the grid's values (of more than 64, its ends).",
                 "note");
  std::vector<std::string> figures;
  for (const LayerHistogram& h : network.histograms) figures.push_back(weights_figure(h));
  page.figures(figures, "small");
}

}  // namespace ntq::apps
