#include "apps/report/run_page.h"

#include <cmath>

#include "apps/start_block.h"
#include "apps/sweep/cell.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

/// "Top-1 90.65% after 5 epochs (best 90.65% in epoch 5)."
std::string accuracy_text(const RunFacts& facts) {
  const auto& epochs = facts.epochs;
  const char* const column = epochs.has("ema_val_top1") ? "ema_val_top1" : "val_top1";
  const std::vector<double> top1 = epochs.numbers(column);
  if (top1.empty()) return facts.has_folder ? "No epoch is finished yet." : "";
  size_t best = 0;
  for (size_t i = 0; i < top1.size(); ++i) best = top1[i] > top1[best] ? i : best;
  const int64_t all = facts.given ? facts.given->epochs : static_cast<int64_t>(top1.size());
  const bool finished = !facts.result.is_null();
  std::string out =
      concat("Top-1 ", fixed(top1.back(), 2), "% after ", top1.size(), finished ? "" : concat(" of ", all),
             top1.size() == 1 ? " epoch" : " epochs", " (best ", fixed(top1[best], 2), "% in epoch ", best + 1, ")");
  const Json start = facts.result.is_object() ? facts.result.value("start", Json()) : Json();
  const double before = number_at(start, "full_precision_top1"), right_after = number_at(start, "quantized_top1");
  if (std::isfinite(before)) {
    const double difference = top1.back() - before;
    out += concat(", ", fixed(std::fabs(difference), 2), difference < 0 ? " below" : " above", " the ",
                  fixed(before, 2), "% of the network it started from");
  }
  if (std::isfinite(right_after)) out += concat("; right after quantization it had ", fixed(right_after, 2), "%");
  return out + ".";
}

std::string size_text(const NetworkFacts& network) {
  std::string out = concat(magnitude_text(static_cast<double>(network.parameters)), " parameters, ",
                           bytes_text(network.bytes), " as deployed");
  const double bops = network.bops();
  int64_t macs = 0;
  for (const LayerCost& cost : network.costs) macs += cost.macs;
  if (bops > 0) {
    out += concat("; an image takes ", magnitude_text(static_cast<double>(macs)), " multiply-adds, ",
                  magnitude_text(bops), " bit operations (",
                  fixed(100 * bops / (1024.0 * static_cast<double>(macs)), 2), "% of those in float32)");
  }
  return out + ".";
}

/// config.json has every setting of the method; a command needs those that differ from its defaults.
TrainConfig without_defaults(TrainConfig config) {
  TrainConfig plain = config;
  plain.quant = {};
  plain = resolve(plain);
  std::erase_if(config.quant, [&](const auto& setting) {
    const auto found = plain.quant.find(setting.first);
    return found != plain.quant.end() && found->second == setting.second;
  });
  return config;
}

void add_verdict(Page& page, const RunFacts& facts) {
  if (facts.given) {
    page.paragraph(concat(facts.given->model, " on ", facts.given->dataset, ", ", precision_text(*facts.given),
                          ", seed ", facts.given->seed, "."));
  }
  const std::string accuracy = accuracy_text(facts);
  if (!accuracy.empty()) page.paragraph(accuracy, "verdict");
  if (facts.network) page.paragraph(size_text(*facts.network));
  if (!facts.given) return;
  std::vector<std::string> words = train_words(without_defaults(*facts.given));
  words.insert(words.begin(), "ntq-train");
  page.preformatted(shell_line(words));
}

/// What a reader may look for in vain, and which command makes it.
void add_missing(Page& page, const RunFacts& facts) {
  std::vector<std::string> lines;
  const bool quantized = facts.given && facts.given->quantized();
  if (facts.has_folder) {
    if (facts.epochs.rows.empty()) lines.emplace_back("Curves: metrics.csv has no epoch yet.");
    if (facts.steps.rows.empty()) {
      lines.emplace_back(
          "Curves by step, and Figure 3: there is no steps.csv; ntq-train writes it, unless it is told --stats-every "
          "0.");
    }
    if (quantized && facts.layers.rows.empty()) {
      lines.emplace_back("Layers over time: there is no layers.csv; ntq-train writes it beside steps.csv.");
    }
  } else {
    lines.emplace_back("Curves: this checkpoint lies in no run folder.");
  }
  const std::string file = facts.network ? facts.network->file : "last.bin";
  for (const char* name : kShownAnalyses) {
    if (const auto other = facts.of_another.find(name); other != facts.of_another.end()) {
      lines.push_back(other->second);
      continue;
    }
    if (facts.analyses.contains(name) ||
        (!quantized && (name == std::string("sensitivity") || name == std::string("noise"))))
      continue;
    if (!facts.has_folder) continue;
    lines.push_back(concat(name, ": in this folder, ntq-analyze ", file, " ", name, " --json > ", name,
                           ".json, then ntq-report again."));
  }
  for (const auto& problem : facts.problems) lines.push_back("Not readable: " + problem);
  if (lines.empty()) return;
  page.section("Not on this page");
  for (const auto& line : lines) page.paragraph(line, "missing");
}

}  // namespace

std::string run_page(const RunFacts& facts) {
  Page page(facts.name);
  add_verdict(page, facts);
  add_curves(page, facts);
  add_quantization_curves(page, facts);
  add_layers(page, facts);
  add_surroundings(page, facts);
  add_paper_figures(page, facts);
  if (!facts.start_block.empty()) {
    page.section("Environment and settings");
    page.preformatted(facts.start_block);
  }
  add_missing(page, facts);
  return page.str();
}

}  // namespace ntq::apps
