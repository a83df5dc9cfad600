// Sensitivity, noise and histograms, which look at a network's layers.
#include <algorithm>
#include <cmath>

#include "analyze/histograms.h"
#include "analyze/noise.h"
#include "analyze/sensitivity.h"
#include "apps/analyses.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string bits_or_fp(int bits) { return bits == 32 ? "fp" : std::to_string(bits); }
std::string with_sign(double value, int digits) { return (value >= 0 ? "+" : "") + fixed(value, digits); }
std::string decibel(double value) { return std::isfinite(value) ? fixed(value, 2) : "inf"; }

/// Counts as so many blocks of eight heights.
std::string sparkline(const std::vector<int64_t>& counts, size_t width) {
  static const char* const kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<int64_t> sums(width);
  for (size_t i = 0; i < counts.size(); ++i) sums[i * width / counts.size()] += counts[i];
  const auto most = static_cast<double>(*std::max_element(sums.begin(), sums.end()));
  std::string out;
  for (const int64_t sum : sums) {
    out += kBlocks[most > 0 ? static_cast<size_t>(std::ceil(8 * static_cast<double>(sum) / most)) : 0];
  }
  return out;
}

Json score_json(const Score& score) { return {{"loss", score.loss}, {"top1", score.top1}}; }

}  // namespace

Answer answer_sensitivity(const AnalysisInput& in) {
  const Sensitivity found = sensitivity(*in.subject.model, in.loader, in.hook);
  Answer out;
  out.json = {{"all", score_json(found.all)},
              {"none", score_json(found.none)},
              {"weights", score_json(found.weights)},
              {"inputs", score_json(found.inputs)},
              {"layers", Json::array()}};
  Rows totals = {{"quantized", "loss", "top-1", "loss +", "top-1 +"}};
  const auto total = [&](const char* what, const Score& s) {
    totals.push_back({what, fixed(s.loss, 4), fixed(s.top1, 2), with_sign(s.loss - found.none.loss, 4),
                      with_sign(s.top1 - found.none.top1, 2)});
  };
  total("nothing", found.none);
  total("weights alone", found.weights);
  total("inputs alone", found.inputs);
  total("everything", found.all);
  Rows rows = {
      {"layer", "w bits", "x bits", "MMACs", "BOPs %", "only: loss +", "top-1 +", "without: loss +", "top-1 +"}};
  double bops = 0;
  for (const LayerSensitivity& l : found.layers) bops += l.layer.bops();
  int64_t macs = 0;
  for (const LayerSensitivity& l : found.layers) {
    const LayerCost& c = l.layer;
    macs += c.macs;
    rows.push_back({c.name, bits_or_fp(c.weight_bits), bits_or_fp(c.input_bits),
                    fixed(static_cast<double>(c.macs) / 1e6, 3), fixed(100 * c.bops() / bops, 1),
                    with_sign(l.only.loss - found.none.loss, 4), with_sign(l.only.top1 - found.none.top1, 2),
                    with_sign(l.without.loss - found.all.loss, 4), with_sign(l.without.top1 - found.all.top1, 2)});
    out.json["layers"].push_back({{"name", c.name},
                                  {"weight_bits", c.weight_bits},
                                  {"input_bits", c.input_bits},
                                  {"macs", c.macs},
                                  {"bops", c.bops()},
                                  {"only", score_json(l.only)},
                                  {"without", score_json(l.without)}});
  }
  out.json["macs"] = macs, out.json["bops"] = bops;
  out.text = table(totals) + '\n' + table(rows);
  out.remarks = {
      concat(fixed(static_cast<double>(macs) / 1e6, 2), " M multiply-adds of an image, ", fixed(bops / 1e6, 1),
             " M bit operations (MACs * weight bits * input bits), of the layers above"),
      "only: this layer alone, against nothing; without: all but this layer, against everything"};
  return out;
}

Answer answer_noise(const AnalysisInput& in) {
  const double momentum = in.options.momentum.value_or(in.subject.config.momentum);
  const NoiseReport found = measure_noise(*in.subject.model, in.loader,
                                          {.momentum = momentum,
                                           .steps = in.options.steps,
                                           .loss = cross_entropy(static_cast<float>(in.subject.config.smoothing)),
                                           .hook = in.hook});
  Answer out;
  out.json = {{"momentum", momentum},
              {"predicted", found.predicted},
              {"steps", found.steps},
              {"settling", found.settling},
              {"layers", Json::array()}};
  Rows rows = {{"layer", "weights", "noise", "gradient var", "batch var", "noise/batch", "update var", "factor"}};
  const auto add = [&](const LayerNoise& l) {
    rows.push_back({l.name, std::to_string(l.weights), general(l.weight, 4), general(l.gradient, 4),
                    general(l.batches, 4), l.batches > 0 ? fixed(l.gradient / l.batches, 3) : "-", general(l.update, 4),
                    l.gradient > 0 ? fixed(l.factor(), 3) : "-"});
    return Json{{"name", l.name},       {"weights", l.weights}, {"noise", l.weight},   {"gradient", l.gradient},
                {"batches", l.batches}, {"update", l.update},   {"factor", l.factor()}};
  };
  for (const LayerNoise& layer : found.layers) out.json["layers"].push_back(add(layer));
  out.json["all"] = add(found.all);
  out.text = table(rows);
  if (found.all.gradient == 0) {
    out.remarks = {"this method draws no noise in training: it puts nothing into the updates"};
  } else {
    out.remarks = {concat("momentum ", general(momentum), ": predicted factor 1 / (1 - m^2) = ",
                          fixed(found.predicted, 3), ", measured ", fixed(found.all.factor(), 3))};
  }
  out.remarks.push_back(concat("weights held at the checkpoint, batches of ", in.subject.config.batch_size, ", ",
                               found.steps, " steps behind ", found.settling,
                               " to settle; variances are means over weights, without the factor lr^2 of an update"));
  return out;
}

Answer answer_histograms(const AnalysisInput& in) {
  const Histograms found = histograms(*in.subject.model, in.loader, in.hook);
  Answer out;
  out.json = {{"compared_images", found.images}, {"layers", Json::array()}};
  Rows rows = {{"layer", "bits", "step", "|Q(w)-w|", "clipped %", "SQNR w", "SQNR out", "w min", "histogram", "w max"}};
  for (const LayerHistogram& l : found.layers) {
    const bool quantized = l.bits != 32;
    rows.push_back({l.name, bits_or_fp(l.bits), quantized ? general(l.step, 4) : "-",
                    quantized ? general(l.error, 4) : "-", quantized ? fixed(100 * l.clipped, 2) : "-",
                    quantized ? decibel(l.sqnr) : "-", l.output_sqnr ? decibel(*l.output_sqnr) : "-", fixed(l.low, 3),
                    sparkline(l.counts, 32), fixed(l.high, 3)});
    Json layer = {{"name", l.name}, {"method", l.method}, {"bits", l.bits},    {"weights", l.weights},
                  {"low", l.low},   {"high", l.high},     {"counts", l.counts}};
    if (quantized) {
      layer.update({{"step", l.step},
                    {"error", l.error},
                    {"clipped", l.clipped},
                    {"sqnr", l.sqnr},
                    {"levels", l.levels},
                    {"at_level", l.at_level}});
    }
    if (l.output_sqnr) layer["output_sqnr"] = *l.output_sqnr;
    out.json["layers"].push_back(std::move(layer));
  }
  out.text = table(rows);
  if (found.images > 0) {
    out.remarks = {
        concat("SQNR: 20 log10 of signal over quantization error, in dB; out: of the layer's output against ",
               "the float network's, over ", found.images, " images")};
  }
  return out;
}

}  // namespace ntq::apps
