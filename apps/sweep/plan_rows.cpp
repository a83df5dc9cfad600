#include "apps/sweep/plan_rows.h"

#include <algorithm>

#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq::apps {

void join_equal_rows(Plan& plan, RowParts& parts) {
  std::map<std::string, std::vector<std::string>> cells;
  for (const Place& p : plan.places) cells[p.row].push_back(concat(p.cell, " ", join(p.column, " "), " ", p.seed));
  std::map<std::string, std::string> joined;  // row -> the earlier one that it is the same as
  std::vector<std::string> rows;
  for (const auto& row : plan.rows) {
    const auto same =
        std::find_if(rows.begin(), rows.end(), [&](const auto& other) { return cells[other] == cells[row]; });
    if (same == rows.end()) {
      rows.push_back(row);
      continue;
    }
    joined[row] = *same;
    const auto& others = parts[row];
    std::erase_if(parts[*same],
                  [&](const auto& part) { return std::find(others.begin(), others.end(), part) == others.end(); });
  }
  if (joined.empty()) return;
  std::erase_if(plan.places, [&](const Place& p) { return joined.contains(p.row); });
  const auto name = [&](const std::string& row) { return parts[row].empty() ? row : join(parts[row], " "); };
  for (auto& row : rows) row = name(row);
  for (Place& p : plan.places) p.row = name(p.row);
  plan.rows = rows;
}

std::string baseline_of(const std::string& asked, const Plan& plan) {
  const auto& rows = plan.rows;
  if (asked.empty()) {
    const auto first = std::find_if(rows.begin(), rows.end(), [&](const std::string& row) {
      return std::find(plan.full_precision.begin(), plan.full_precision.end(), row) == plan.full_precision.end();
    });
    return rows.size() < 2 || first == rows.end() ? "" : *first;
  }
  if (std::find(rows.begin(), rows.end(), asked) == rows.end()) {
    throw UsageError(concat("the baseline ", in_quotes(asked), " is no row; rows are ", join(rows)));
  }
  return asked;
}

}  // namespace ntq::apps
