#include "apps/report/sweep_page.h"

#include <algorithm>
#include <filesystem>

#include "apps/report/csv.h"
#include "apps/report/page.h"
#include "apps/report/run_page.h"
#include "apps/sweep/answers.h"
#include "apps/sweep/pages.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/input_file.h"

namespace ntq::apps {
namespace {

std::string column_title(const SweepTable& table, size_t column) {
  return column_text(table, column, 0, table.columns.size());
}

void add_tables(Page& page, const SweepTable& table) {
  for (const PageTable& one : page_tables(table)) {
    page.section(one.title);
    HtmlRows rows;
    for (const auto& row : one.rows) {
      rows.emplace_back();
      for (const PageCell& cell : row) {
        rows.back().push_back({cell.text, cell.best ? "best" : cell.equal ? "equal" : ""});
      }
    }
    page.table(rows);
  }
  page.paragraph("Bold: best of its column; underlined: the seeds do not tell it from the best (paired 95% interval).",
                 "note");
  for (const auto& note : table.notes) page.paragraph(note, "note");
}

std::string dots_figure(const SweepTable& table, size_t column) {
  BarChart chart{.title = "Top-1, percent: " + column_title(table, column), .rows = {}, .dots = true};
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const BySeed& top1 = table.entries[row][column].top1;
    if (top1.empty()) continue;
    chart.rows.push_back({table.rows[row], {}});
    for (const auto& seed : top1) chart.rows.back().values.push_back(seed.second);
  }
  return chart.rows.empty() ? "" : figure_of(chart);
}

/// A dot for each row and column of the group: mean accuracy against the mean of `cost`.
std::string cost_figure(Page& page, const SweepTable& table, const std::vector<size_t>& group, const char* name,
                        BySeed Entry::*cost, double unit) {
  const size_t last = table.columns.empty() ? 0 : table.columns.size() - 1;
  const std::string of = column_text(table, group[0], 0, last);
  LineChart chart{.title = concat("Top-1, percent, against ", name, of.empty() ? "" : ": " + of),
                  .x_name = name,
                  .series = {},
                  .log_x = true};
  for (size_t row = 0; row < table.rows.size(); ++row) {
    Series series{.name = table.rows[row], .points = {}, .dots = true};
    for (const size_t column : group) {
      const Entry& entry = table.entries[row][column];
      if (entry.top1.empty() || (entry.*cost).empty()) continue;
      series.points.x.push_back(spread_of(entry.*cost).mean / unit);
      series.points.y.push_back(spread_of(entry.top1).mean);
    }
    if (!series.points.x.empty()) chart.series.push_back(std::move(series));
  }
  return chart.series.empty() ? "" : figure_of(chart, page.hover());
}

/// Of each row the run of the first seed that has steps.csv.
std::string weights_figure(Page& page, const SweepTable& table, const Standing& s, const std::vector<Place>& places,
                           size_t column) {
  const std::string of = column_title(table, column);
  LineChart chart{.title = concat("Figure 3: mean of max |w|", of.empty() ? "" : ": " + of),
                  .x_name = "step",
                  .series = {},
                  .note = "smoothed by 0.999 a step; of the first seed"};
  for (const auto& row : table.rows) {
    const auto place = std::find_if(places.begin(), places.end(), [&](const Place& p) {
      const auto& run = s.state.cells[p.cell].run;
      return p.row == row && p.column == table.column_values[column] && run && run->has("steps.csv");
    });
    if (place == places.end()) continue;
    const CsvTable steps = parse_csv(read_text_file(s.state.cells[place->cell].run->file("steps.csv")));
    chart.series.push_back({row, smoothed(steps.numbers("step"), steps.numbers("mean_max_weight"))});
  }
  return chart.series.empty() ? "" : figure_of(chart, page.hover());
}

void add_figures(Page& page, const std::string& title, std::vector<std::string> figures) {
  std::erase(figures, "");
  if (figures.empty()) return;
  page.section(title);
  page.figures(figures);
}

void add_runs(Page& page, const Standing& s, const std::string& folder) {
  namespace fs = std::filesystem;
  HtmlRows rows = {{{"cell"}, {"state"}, {"top-1"}, {"best"}, {"size"}, {"remark"}}};
  for (size_t i = 0; i < s.plan.cells.size(); ++i) {
    const CellStatus& status = s.state.cells[i];
    const auto& score = s.state.scores[i];
    std::string link;
    if (status.run && status.run->has("report.html")) {
      link = fs::absolute(status.run->file("report.html"))
                 .lexically_normal()
                 .lexically_relative(fs::absolute(folder).lexically_normal())
                 .string();
    }
    rows.push_back({{s.plan.cells[i].name, "", link},
                    {state_text(status.state)},
                    {score ? fixed(score->top1, 2) : "-"},
                    {score ? fixed(score->best_top1, 2) : "-"},
                    {score && score->bytes ? bytes_text(*score->bytes) : "-"},
                    {status.failure ? status.failure->line : ""}});
  }
  page.section("Runs");
  page.table(rows);
}

}  // namespace

std::string sweep_page(const SweepFile& file, const Standing& s, const std::string& folder) {
  const std::vector<Place> places = shown_places(file, s.plan, s.choice);
  const SweepTable table = make_table(file, s.plan, places, s.state);
  Page page(table.title);
  const int64_t done = s.state.count(CellState::done), failed = s.state.count(CellState::failed);
  page.paragraph(concat(s.plan.cells.size(), " cells: ", done, " done, ",
                        static_cast<int64_t>(s.plan.cells.size()) - done - failed, " open, ", failed, " failed."),
                 "verdict");
  add_tables(page, table);
  std::vector<std::string> dots, costs, weights;
  for (size_t column = 0; column < table.column_values.size(); ++column) {
    dots.push_back(dots_figure(table, column));
    weights.push_back(weights_figure(page, table, s, places, column));
  }
  for (const auto& group : column_groups(table)) {
    costs.push_back(cost_figure(page, table, group, "size, MB", &Entry::bytes, 1e6));
    costs.push_back(cost_figure(page, table, group, "bit operations, 10^9", &Entry::bops, 1e9));
  }
  add_figures(page, "A dot for each seed", dots);
  add_figures(page, "Accuracy and cost", costs);
  add_figures(page, "Weights while training", weights);
  add_runs(page, s, folder);
  return page.str();
}

}  // namespace ntq::apps
