#include "apps/sweep/answers.h"

#include <algorithm>
#include <iterator>

#include "apps/text.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json spread_json(const BySeed& values) {
  const Spread spread = spread_of(values);
  Json seeds = Json::object();
  for (const auto& [seed, value] : values) seeds[std::to_string(seed)] = value;
  return {{"n", spread.n},
          {"mean", spread.n > 0 ? Json(spread.mean) : Json()},
          {"deviation", or_null(spread.deviation)},
          {"by_seed", seeds}};
}

Json entry_json(const Entry& e, const std::string& baseline) {
  Json out = {{"top1", spread_json(e.top1)}, {"best_epoch_top1", spread_json(e.best_top1)}, {"cells", e.cells}};
  for (const auto& [measure, values] : e.also) out[measure] = spread_json(values);
  for (const auto& [measure, value] : e.paper) out["paper"][measure] = value;
  if (e.paper.contains("top1") && !e.top1.empty()) {
    out["top1_less_paper"] = spread_of(e.top1).mean - e.paper.at("top1");
  }
  if (!e.bytes.empty()) out["bytes"] = spread_of(e.bytes).mean;
  if (!e.bops.empty()) out["bops"] = spread_of(e.bops).mean;
  if (e.against) {
    out["against"] = {{"row", baseline},
                      {"n", e.against->n},
                      {"mean", e.against->mean},
                      {"half_width", or_null(e.against->half_width)}};
  }
  return out;
}

}  // namespace

const char* state_text(CellState state) {
  switch (state) {
    case CellState::open: return "open";
    case CellState::started: return "started";
    case CellState::done: return "done";
    case CellState::failed: break;
  }
  return "failed";
}

std::string csv_text(const Plan& plan, const std::vector<Place>& places, const SweepTable& table,
                     const SweepState& state, const Journal& journal) {
  std::vector<std::string> heading = {"row"};
  heading.insert(heading.end(), plan.columns.begin(), plan.columns.end());
  heading.insert(heading.end(), {"seed", "state", "top1"});
  std::vector<std::string> measures(std::begin(kMeasures), std::end(kMeasures));
  std::copy_if(table.also.begin(), table.also.end(), std::back_inserter(measures), [&](const std::string& name) {
    return std::find(measures.begin(), measures.end(), name) == measures.end();
  });
  heading.insert(heading.end(), measures.begin(), measures.end());
  for (const char* name : {"best_top1", "best_epoch", "bytes", "paper_top1", "seconds", "run", "error"}) {
    heading.emplace_back(name);
  }
  std::string out = join(heading, ",") + "\n";
  for (const Place& p : places) {
    std::vector<std::string> cells = {p.row};
    cells.insert(cells.end(), p.column.begin(), p.column.end());
    const CellStatus& status = state.cells[p.cell];
    const auto row = std::find(table.rows.begin(), table.rows.end(), p.row) - table.rows.begin();
    const auto column =
        std::find(table.column_values.begin(), table.column_values.end(), p.column) - table.column_values.begin();
    const auto& paper = table.entries[static_cast<size_t>(row)][static_cast<size_t>(column)].paper;
    const JournalEntry* entry = journal.find(plan.cells[p.cell].name);
    const Score score = state.scores[p.cell].value_or(Score{});
    const bool done = state.scores[p.cell].has_value();
    const auto add = [&](bool known, double value, int digits = 7) {
      cells.push_back(known ? general(value, digits) : "");
    };
    cells.insert(cells.end(), {std::to_string(p.seed), state_text(status.state)});
    add(done, score.top1);
    for (const std::string& measure : measures) {
      const auto found = score.also.find(measure);
      add(found != score.also.end(), found == score.also.end() ? 0 : found->second);
    }
    add(done, score.best_top1);
    add(done, static_cast<double>(score.best_epoch));
    add(score.bytes.has_value(), score.bytes.value_or(0), 12);
    add(paper.contains("top1"), paper.contains("top1") ? paper.at("top1") : 0);
    add(entry != nullptr, entry == nullptr ? 0 : entry->seconds);
    cells.insert(cells.end(), {status.run ? status.run->path : "", status.failure ? status.failure->line : ""});
    out += join(cells, ",", quoted) + "\n";
  }
  return out;
}

Json sweep_json(const Plan& plan, const SweepTable& table, const SweepState& state, const Journal& journal) {
  Json rows = Json::array(), cells = Json::array();
  for (size_t row = 0; row < table.rows.size(); ++row) {
    for (size_t column = 0; column < table.column_values.size(); ++column) {
      const Entry& entry = table.entries[row][column];
      if (entry.cells == 0 && entry.paper.empty()) continue;
      Json one = {{"row", table.rows[row]}, {"column", Json::object()}};
      for (size_t i = 0; i < table.columns.size(); ++i)
        one["column"][table.columns[i]] = table.column_values[column][i];
      one.update(entry_json(entry, table.baseline));
      rows.push_back(one);
    }
  }
  for (size_t i = 0; i < plan.cells.size(); ++i) {
    const CellStatus& status = state.cells[i];
    const JournalEntry* entry = journal.find(plan.cells[i].name);
    Json one = {{"name", plan.cells[i].name}, {"state", state_text(status.state)}};
    if (status.run) one["run"] = status.run->path;
    if (entry != nullptr) one["seconds"] = entry->seconds;
    if (status.failure) one.update({{"exit_code", status.failure->exit_code}, {"error", status.failure->line}});
    cells.push_back(one);
  }
  return {{"title", table.title},
          {"rows", rows},
          {"cells", cells},
          {"done", state.count(CellState::done)},
          {"open", state.count(CellState::open) + state.count(CellState::started)},
          {"failed", state.count(CellState::failed)}};
}

}  // namespace ntq::apps
