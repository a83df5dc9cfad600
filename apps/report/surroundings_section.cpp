// What ntq-analyze found around a network: sharpness, loss along directions, curvature; and its training noise.
#include <cmath>

#include "apps/report/run_page.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

std::string text_at(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
}

std::string cell_text(const Json& row, const char* key) {
  if (row.contains(key) && row[key].is_boolean()) return row[key].get<bool>() ? "yes" : "no";
  const double value = number_at(row, key);
  if (value == std::floor(value) && std::fabs(value) < 1e15) return concat(static_cast<int64_t>(value));
  return std::isfinite(value) ? general(value, 5) : text_at(row, key).empty() ? "-" : text_at(row, key);
}

struct TableColumn {
  const char *key, *name;
};

/// A row for each of the list's objects.
void add_list(Page& page, const Json& list, const std::vector<TableColumn>& columns) {
  if (list.empty()) return;
  HtmlRows rows = {{}};
  for (const auto& column : columns) rows[0].push_back({column.name});
  for (const Json& one : list) {
    rows.emplace_back();
    for (const auto& column : columns) rows.back().push_back({cell_text(one, column.key)});
  }
  page.table(rows);
}

void add_note(Page& page, const Json& analysis) { page.paragraph(concat("Of ", source_of(analysis), "."), "note"); }

/// Slices, or a plane, for each place where it was taken.
std::string landscape_figure(const Json& row, Page& page) {
  const std::string where = text_at(row, "where");
  const std::vector<double> at = numbers_of(list_at(row, "a"));
  const auto series = [&](const char* key, const char* name) {
    std::vector<double> y = numbers_of(list_at(row, key));
    y.resize(at.size(), NAN);
    return Series{.name = name, .points = {at, std::move(y)}};
  };
  if (!list_at(row, "mean").empty()) {
    return figure_of(LineChart{.title = concat("Loss along random directions, ", where),
                               .x_name = "a",
                               .series = {series("mean", "mean"), series("low", "lowest"), series("high", "highest")},
                               .note = "w + a d; each filter of d is as long as that of w"},
                     page.hover());
  }
  HeatMap map{.title = concat("log10 of the loss in a plane, ", where), .x_name = "b", .rows = {}, .values = {}};
  if (!at.empty()) map.first = at.front(), map.last = at.back();
  for (size_t i = 0; i < at.size() && i < list_at(row, "loss").size(); ++i) {
    map.rows.push_back("a = " + fixed(at[i], 2));
    map.values.push_back(numbers_of(list_at(row, "loss")[i]));
    for (double& v : map.values.back()) v = std::log10(v);
  }
  return figure_of(map);
}

}  // namespace

std::string source_of(const Json& analysis) {
  const double epoch = number_at(analysis, "epoch");
  return concat(text_at(analysis, "checkpoint"), std::isfinite(epoch) ? ", epoch " + general(epoch, 12) : "", ", ",
                cell_text(analysis, "images"), " ", text_at(analysis, "split"), " images");
}

void add_surroundings(Page& page, const RunFacts& facts) {
  const auto find = [&](const char* name) {
    const auto found = facts.analyses.find(name);
    return found == facts.analyses.end() ? nullptr : &found->second;
  };
  if (const Json* sharpness = find("sharpness")) {
    page.section("Sharpness");
    add_note(page, *sharpness);
    add_list(page, list_at(*sharpness, "rows"),
             {{"where", "where"},
              {"space", "space"},
              {"box", "box"},
              {"rho", "rho"},
              {"draw", "draw"},
              {"loss", "loss"},
              {"highest", "highest"},
              {"rise", "rise"},
              {"sharpness", "sharpness"}});
    add_list(page, list_at(*sharpness, "average"),
             {{"where", "where"},
              {"sigma", "sigma"},
              {"draws", "draws"},
              {"mean", "mean rise"},
              {"error", "±"},
              {"trace", "trace"}});
  }
  if (const Json* landscape = find("landscape")) {
    page.section("Loss around the network");
    add_note(page, *landscape);
    std::vector<std::string> figures;
    for (const Json& row : list_at(*landscape, "rows")) figures.push_back(landscape_figure(row, page));
    page.figures(figures);
  }
  if (const Json* hessian = find("hessian")) {
    page.section("Hessian");
    add_note(page, *hessian);
    add_list(page, list_at(*hessian, "rows"),
             {{"where", "where"},
              {"top_eigenvalue", "top eigenvalue"},
              {"iterations", "iterations"},
              {"top_converged", "converged"},
              {"trace", "trace"},
              {"trace_error", "±"},
              {"draws", "draws"},
              {"trace_converged", "converged"},
              {"parameters", "parameters"}});
  }
  if (const Json* noise = find("noise")) {
    page.section("Training noise");
    add_note(page, *noise);
    page.paragraph(concat("Momentum ", cell_text(*noise, "momentum"), ": an update has the noise of a gradient times ",
                          cell_text(*noise, "predicted"), ", as predicted by 1 / (1 - m²)."));
    add_list(page, list_at(*noise, "layers"),
             {{"name", "layer"},
              {"weights", "weights"},
              {"noise", "noise"},
              {"gradient", "gradient var"},
              {"batches", "batch var"},
              {"update", "update var"},
              {"factor", "factor"}});
  }
}

}  // namespace ntq::apps
