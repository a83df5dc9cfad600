#include "apps/sweep/table.h"

#include <algorithm>

#include "base/text.h"

namespace ntq::apps {
namespace {

/// By measure.
std::map<std::string, double> paper_values(const Json& paper, const std::string& row, const std::string& column) {
  std::map<std::string, double> out;
  for (const auto& [measure, rows] : paper.items()) {
    if (rows.contains(row) && rows[row].contains(column)) out[measure] = rows[row][column].get<double>();
  }
  return out;
}

/// The best mean of a column, and those that the seeds do not tell from it. Full precision is what the others start
/// from, no method among them.
void mark_best(SweepTable& table, size_t column, const std::vector<std::string>& full_precision) {
  std::vector<Entry*> entries;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    Entry& entry = table.entries[row][column];
    const bool apart = std::count(full_precision.begin(), full_precision.end(), table.rows[row]) > 0;
    if (!apart && !entry.top1.empty()) entries.push_back(&entry);
  }
  const auto best = std::max_element(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) {
    return spread_of(a->top1).mean < spread_of(b->top1).mean;
  });
  for (Entry* entry : entries) {
    entry->best = entry == *best;
    entry->equal =
        !entry->best && !paired_difference(entry->top1, (*best)->top1).decided();  // one pair decides nothing
  }
}

}  // namespace

SweepTable make_table(const SweepFile& file, const Plan& plan, const std::vector<Place>& places,
                      const SweepState& state) {
  SweepTable table{.title = file.title,
                   .notes = file.notes,
                   .baseline = plan.baseline,
                   .also = file.also,
                   .columns = plan.columns,
                   .column_values = plan.column_values,
                   .rows = plan.rows,
                   .entries = {}};
  for (const auto& entry : file.paper.items()) {
    for (const auto& row : entry.value().items()) {
      if (std::count(table.rows.begin(), table.rows.end(), row.key()) == 0) table.rows.push_back(row.key());
    }
  }
  table.entries.assign(table.rows.size(), std::vector<Entry>(table.column_values.size()));
  const auto index = [](const auto& list, const auto& value) {
    return static_cast<size_t>(std::find(list.begin(), list.end(), value) - list.begin());
  };
  for (const Place& p : places) {
    Entry& entry = table.entries[index(table.rows, p.row)][index(table.column_values, p.column)];
    ++entry.cells;
    const auto& score = state.scores[p.cell];
    if (!score) continue;
    entry.top1[p.seed] = score->top1;
    for (const auto& [measure, value] : score->also) entry.also[measure][p.seed] = value;
    entry.best_top1[p.seed] = score->best_top1;
    if (score->bytes) entry.bytes[p.seed] = *score->bytes;
    if (score->bops) entry.bops[p.seed] = *score->bops;
  }
  const size_t baseline = index(table.rows, table.baseline);
  for (size_t column = 0; column < table.column_values.size(); ++column) {
    for (size_t row = 0; row < table.rows.size(); ++row) {
      Entry& entry = table.entries[row][column];
      entry.paper = paper_values(file.paper, table.rows[row], join(table.column_values[column], " "));
      if (baseline == table.rows.size() || row == baseline) continue;
      const auto difference = paired_difference(entry.top1, table.entries[baseline][column].top1);
      if (difference.n > 0) entry.against = difference;
    }
    mark_best(table, column, plan.full_precision);
  }
  return table;
}

std::vector<std::vector<size_t>> column_groups(const SweepTable& table) {
  const auto key = [&](size_t column) {
    const auto& values = table.column_values[column];
    return std::vector<std::string>(values.begin(), values.end() - (values.empty() ? 0 : 1));
  };
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < table.column_values.size(); ++i) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return key(g[0]) == key(i); });
    if (same == groups.end()) {
      groups.push_back({i});
    } else {
      same->push_back(i);
    }
  }
  return groups;
}

std::string column_text(const SweepTable& table, size_t column, size_t first, size_t count) {
  std::vector<std::string> parts;
  for (size_t i = first; i < std::min(first + count, table.columns.size()); ++i) {
    parts.push_back(value_text(table.columns[i], table.column_values[column][i]));
  }
  return join(parts);
}

}  // namespace ntq::apps
