#include "apps/analyze_options.h"

#include <CLI/CLI.hpp>
#include <map>

#include "apps/command.h"
#include "apps/command_line.h"
#include "apps/config.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

const std::vector<std::string> kAnalyses = {"sharpness", "landscape", "hessian", "sensitivity", "noise", "histograms"};

/// Options that some analyses have, and which.
const std::map<std::string, std::vector<std::string>> kOnlyFor = {
    {"--rho", {"sharpness"}},
    {"--space", {"sharpness"}},
    {"--box", {"sharpness"}},
    {"--draws", {"sharpness"}},
    {"--average", {"sharpness"}},
    {"--where", {"sharpness", "landscape", "hessian"}},
    {"--directions", {"landscape"}},
    {"--points", {"landscape"}},
    {"--plane", {"landscape"}},
    {"--iterations", {"hessian"}},
    {"--tolerance", {"hessian"}},
    {"--momentum", {"noise"}},
    {"--steps", {"noise"}},
    {"--seed", {"sharpness", "landscape", "hessian"}},
    {"--split", {"sharpness", "landscape", "hessian", "sensitivity", "histograms"}},
    {"--limit-val", {"sharpness", "landscape", "hessian", "sensitivity", "histograms"}},
};

std::vector<std::string> items(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

void check_range(const char* option, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return;
  throw UsageError(concat(option, ": expected ", low, " to ", high, ", found ", value));
}

void check_positive(const char* option, double value) {
  if (!(value > 0)) throw UsageError(concat(option, ": expected a number above 0, found ", value));
}

std::vector<double> parse_radii(const std::string& text) {
  std::vector<double> out;
  for (const std::string& item : items(text)) {
    out.push_back(parse_real("--rho", item));
    check_positive("--rho", out.back());
  }
  return out;
}

std::vector<Space> parse_spaces(const std::string& text) {
  std::vector<Space> out;
  for (const std::string& item : items(text)) {
    out.push_back(item == "full" ? Space() : Space(parse_integer("--space", item)));
    if (out.back()) check_range("--space", *out.back(), 1, 1000);
  }
  return out;
}

std::vector<Where> parse_where(const std::string& text) {
  std::vector<Where> out;
  for (const std::string& item : items(text)) {
    if (item != "master" && item != "effective") {
      throw UsageError("--where: expected master, effective, or both with a comma, found '" + item + "'");
    }
    out.push_back(item == "master" ? Where::master : Where::effective);
  }
  return out;
}

/// Whether `text` is the second of two words that an option takes.
bool is_second(const char* option, const std::string& text, const char* first, const char* second) {
  if (text == first || text == second) return text == second;
  throw UsageError(concat(option, ": expected ", first, " or ", second, ", found '", text, "'"));
}

void check_analysis(const std::string& name) {
  if (std::find(kAnalyses.begin(), kAnalyses.end(), name) != kAnalyses.end()) return;
  const std::string near = nearest(name, kAnalyses);
  throw UsageError(concat("ANALYSIS: expected one of ", join(kAnalyses), ", found '", name, "'",
                          near.empty() ? "" : "; did you mean " + near + "?"));
}

void refuse_others(const CLI::App& app, const std::string& analysis) {
  for (const auto& [option, having] : kOnlyFor) {
    if (app.count(option) == 0 || std::find(having.begin(), having.end(), analysis) != having.end()) continue;
    throw UsageError(concat(option, ": not an option of ", analysis, "; it belongs to ", join(having)));
  }
}

}  // namespace

bool parse_analyze(int argc, char** argv, AnalyzeOptions& o) {
  CLI::App app(
      "What a trained network's surroundings and layers are like; what the numbers mean: docs/analyses.md.\n"
      "  sharpness    how far the loss rises within a small box (the NTQ paper's Table 3)\n"
      "  landscape    the loss along random lines\n"
      "  hessian      largest eigenvalue and trace\n"
      "  sensitivity  what the quantization of each layer costs\n"
      "  noise        variance that the method's noise puts into updates, against 1 / (1 - m^2)\n"
      "  histograms   weights of each layer, clipping, signal to quantization error");
  std::string radii, spaces, where, box = "absolute", split = "val";
  add_eval_options(app, "a last.bin or best.bin, or a safetensors file", o.subject);
  app.add_option("ANALYSIS", o.analysis, "one of these")->required()->type_name("");
  app.add_option("--where", where, "what moves: master weights through Q, or effective ones, Q(w) + e [both]")
      ->type_name("W,W");
  app.add_option("--rho", radii, "sharpness: radii of the box [1e-3,5e-4]")->type_name("X,X,...");
  app.add_option("--space", spaces, "sharpness: random directions, or full: all parameters [100]")->type_name("S,S");
  app.add_option("--box", box, "sharpness, full: absolute, |e| <= rho, or relative, rho (|w| + 1) [absolute]")
      ->type_name("B");
  app.add_option("--draws", o.draws, "sharpness: random subspaces [1]")->type_name("N");
  app.add_option("--average", o.average, "sharpness: also the mean rise under Gaussian noise of this deviation")
      ->type_name("X");
  app.add_option("--directions", o.directions, "landscape: lines [5]")->type_name("N");
  app.add_option("--points", o.points, "landscape: on a line, odd [51; of a plane 21]")->type_name("N");
  app.add_flag("--plane", o.plane, "landscape: the plane of two directions in place of lines");
  app.add_option("--iterations", o.iterations, "hessian: at most [100]")->type_name("N");
  app.add_option("--tolerance", o.tolerance, "hessian: relative change that ends them [1e-3]")->type_name("X");
  app.add_option("--momentum", o.momentum, "noise: m [the checkpoint's]")->type_name("X");
  app.add_option("--steps", o.steps, "noise: training steps that are measured [50]")->type_name("N");
  app.add_option("--seed", o.seed, "of random directions [0]")->type_name("N");
  app.add_option("--split", split, "val or train, without augmentation [val]; noise: training batches")
      ->type_name("NAME");
  if (!parse_or_answer(app, argc, argv)) return false;
  check_analysis(o.analysis);
  refuse_others(app, o.analysis);
  if (app.count("--rho") > 0) o.radii = parse_radii(radii);
  if (app.count("--space") > 0) o.spaces = parse_spaces(spaces);
  if (app.count("--where") > 0) o.where = parse_where(where);
  o.box = is_second("--box", box, "absolute", "relative") ? Box::relative : Box::absolute;
  o.on_train = is_second("--split", split, "val", "train");
  if (o.on_train) std::swap(o.subject.limit_val, o.subject.limit_train);
  check_range("--draws", o.draws, 1, 1000);
  check_range("--directions", o.directions, 1, 1000);
  check_range("--iterations", o.iterations, 1, 100000);
  check_range("--steps", o.steps, 1, 1000000);
  check_range("--points", o.points.value_or(51), 3, 1001);
  if (o.points.value_or(51) % 2 == 0) throw UsageError(concat("--points: expected an odd number, found ", *o.points));
  if (o.average) check_positive("--average", *o.average);
  check_positive("--tolerance", o.tolerance);
  if (o.momentum && !(*o.momentum >= 0 && *o.momentum < 1)) {
    throw UsageError(concat("--momentum: expected a number in [0, 1), found ", *o.momentum));
  }
  return true;
}

}  // namespace ntq::apps
