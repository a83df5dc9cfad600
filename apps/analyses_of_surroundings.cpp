// Sharpness, landscape and Hessian, which move a network's parameters.
#include "analyze/hessian.h"
#include "analyze/landscape.h"
#include "analyze/sensitivity.h"
#include "apps/analyses.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

const char* where_text(Where where) { return where == Where::master ? "master" : "effective"; }

bool has_quantized_weights(const Subject& subject) {
  for (const LayerReport& layer : subject.layers) {
    if (layer.weight_bits != 32) return true;
  }
  return false;
}

/// What --where says; else `standard` of a quantized network, and of another the one that there is.
std::vector<Where> where_of(const AnalysisInput& in, std::vector<Where> standard) {
  if (!in.options.where.empty()) return in.options.where;
  return has_quantized_weights(in.subject) ? standard : std::vector{Where::master};
}

/// Builds the loss of each, calls see(where, objective).
template <class See>
void each_loss(const AnalysisInput& in, const std::vector<Where>& where, See&& see) {
  for (const Where one : where) {
    const ModelLoss loss(*in.subject.model, in.loader, {.where = one, .hook = in.hook});
    see(one, loss.objective());
  }
}

std::string space_text(const Space& space) { return space ? std::to_string(*space) : "full"; }
const char* box_text(Box box) { return box == Box::absolute ? "absolute" : "relative"; }

int points_of(const AnalyzeOptions& o) { return static_cast<int>(o.points.value_or(o.plane ? 21 : 51)); }

}  // namespace

int64_t most_passes(const AnalyzeOptions& o, Module& model) {
  const auto where = static_cast<int64_t>(o.where.empty() ? 2 : o.where.size());
  const auto radii = static_cast<int64_t>(o.radii.size());
  if (o.analysis == "sharpness") {
    int64_t sum = 1 + (o.average ? AverageOptions().draws : 0);
    for (const Space& space : o.spaces) sum += radii * (space ? kMostVertices * o.draws : kBoxSteps);
    return where * sum;
  }
  const int64_t points = points_of(o), single = o.where.empty() ? 1 : where;
  if (o.analysis == "landscape") return single * (o.plane ? points * points : o.directions * (points - 1) + 1);
  if (o.analysis == "hessian") return single * 4 * o.iterations;
  return o.analysis == "sensitivity" ? sensitivity_passes(model) : 1;
}

Answer answer_sharpness(const AnalysisInput& in) {
  const AnalyzeOptions& o = in.options;
  Answer out;
  out.json["rows"] = Json::array();
  std::vector<std::vector<std::string>> rows = {
      {"where", "space", "box", "rho", "draw", "loss", "highest", "rise", "sharpness", "passes"}};
  std::vector<std::vector<std::string>> averages = {{"where", "sigma", "draws", "mean rise", "+-", "trace"}};
  const auto add = [&](Where where, const Space& space, double rho, int64_t draw, const Sharpness& s) {
    const char* const box = space ? "relative" : box_text(o.box);
    rows.push_back({where_text(where), space_text(space), box, general(rho), space ? std::to_string(draw) : "-",
                    fixed(s.loss, 5), fixed(s.highest, 5), fixed(s.rise(), 5), fixed(s.percent(), 3),
                    std::to_string(s.passes)});
    Json row = {{"where", where_text(where)}, {"space", space_text(space)}, {"box", box}, {"rho", rho}};
    if (space) row["draw"] = draw;
    row.update({{"loss", s.loss}, {"highest", s.highest}, {"rise", s.rise()}, {"sharpness", s.percent()}});
    out.json["rows"].push_back(std::move(row));
  };
  each_loss(in, where_of(in, {Where::master, Where::effective}), [&](Where where, const Objective& objective) {
    const Slope start = slope_at(objective, objective.at);
    for (const Space& space : o.spaces) {
      if (space && *space > objective.size()) {
        throw UsageError(concat("--space: the network has ", objective.size(), " parameters, found ", *space));
      }
      for (int64_t draw = 0; space && draw < o.draws; ++draw) {
        const Subspace directions(objective.size(), *space,
                                  random_rows(static_cast<uint64_t>(o.seed), static_cast<uint32_t>(draw)));
        for (const double rho : o.radii) add(where, space, rho, draw, sharpness(objective, start, directions, rho));
      }
      for (const double rho : o.radii) {
        if (!space) add(where, space, rho, 0, sharpness(objective, start, o.box, rho));
      }
    }
    if (!o.average) return;
    const AverageRise a =
        average_rise(objective, start.loss, {.sigma = *o.average, .seed = static_cast<uint64_t>(o.seed)});
    averages.push_back({where_text(where), general(a.sigma), std::to_string(a.draws), general(a.mean, 4),
                        general(a.error, 2), general(a.trace(), 4)});
    out.json["average"].push_back({{"where", where_text(where)},
                                   {"sigma", a.sigma},
                                   {"draws", a.draws},
                                   {"mean", a.mean},
                                   {"error", a.error},
                                   {"trace", a.trace()}});
  });
  out.text = table(rows);
  if (o.average) out.text += '\n' + table(averages);
  out.remarks = {"sharpness: 100 (highest - loss) / (1 + loss), as the NTQ paper's Table 3"};
  return out;
}

Answer answer_landscape(const AnalysisInput& in) {
  const AnalyzeOptions& o = in.options;
  const int points = points_of(o);
  Answer out;
  out.json["rows"] = Json::array();
  each_loss(in, where_of(in, {Where::master}), [&](Where where, const Objective& objective) {
    if (!out.text.empty()) out.text += '\n';
    Json row = {{"where", where_text(where)}};
    const auto seed = static_cast<uint64_t>(o.seed);
    if (o.plane) {
      const Plane found =
          plane(objective, points, random_direction(objective, seed, 0), random_direction(objective, seed, 1));
      std::vector<std::vector<std::string>> rows = {{concat(where_text(where), " a\\b")}};
      for (const double b : found.at) rows[0].push_back(fixed(b, 2));
      for (size_t i = 0; i < found.at.size(); ++i) {
        rows.push_back({fixed(found.at[i], 2)});
        for (const double loss : found.loss[i]) rows.back().push_back(general(loss, 3));
      }
      out.text += table(rows);
      row.update({{"a", found.at}, {"loss", found.loss}});
    } else {
      const Landscape found =
          landscape(objective, {.directions = static_cast<int>(o.directions), .points = points, .seed = seed});
      std::vector<std::vector<std::string>> rows = {
          {concat(where_text(where), " a"), "mean loss", "lowest", "highest"}};
      for (size_t i = 0; i < found.at.size(); ++i) {
        rows.push_back(
            {fixed(found.at[i], 2), fixed(found.mean[i], 4), fixed(found.low[i], 4), fixed(found.high[i], 4)});
      }
      out.text += table(rows);
      row.update({{"a", found.at}, {"mean", found.mean}, {"low", found.low}, {"high", found.high}});
      row["loss"] = found.loss;
    }
    out.json["rows"].push_back(std::move(row));
  });
  out.remarks = {"w + a d: each filter of d is as long as that of w; batch norm, biases and steps stay"};
  return out;
}

Answer answer_hessian(const AnalysisInput& in) {
  const AnalyzeOptions& o = in.options;
  const HessianOptions options{
      .most = static_cast<int>(o.iterations), .tolerance = o.tolerance, .seed = static_cast<uint64_t>(o.seed)};
  Answer out;
  out.json["rows"] = Json::array();
  std::vector<std::vector<std::string>> rows = {
      {"where", "top eigenvalue", "iterations", "trace", "+-", "draws", "parameters"}};
  each_loss(in, where_of(in, {Where::effective}), [&](Where where, const Objective& objective) {
    const TopEigenvalue top = top_eigenvalue(objective, options);
    const TraceEstimate trace = hessian_trace(objective, options);
    const auto count = [](int value, bool converged) {
      return std::to_string(value) + (converged ? "" : " (not settled)");
    };
    rows.push_back({where_text(where), general(top.value, 5), count(top.iterations, top.converged),
                    general(trace.value, 5), general(trace.error, 2), count(trace.draws, trace.converged),
                    std::to_string(objective.size())});
    out.json["rows"].push_back({{"where", where_text(where)},
                                {"top_eigenvalue", top.value},
                                {"iterations", top.iterations},
                                {"top_converged", top.converged},
                                {"trace", trace.value},
                                {"trace_error", trace.error},
                                {"draws", trace.draws},
                                {"trace_converged", trace.converged},
                                {"parameters", objective.size()}});
  });
  out.text = table(rows);
  bool inputs = false;
  for (const LayerReport& layer : in.subject.layers) inputs = inputs || layer.input_bits != 32;
  if (inputs) {
    out.remarks.push_back("inputs are quantized: gradients through them are straight-through, and so is this Hessian");
  }
  return out;
}

}  // namespace ntq::apps
