#include "apps/sweep/pace.h"

#include <algorithm>
#include <fstream>

#include "base/check.h"

namespace ntq::apps {

std::string progress_of(const std::string& folder) {
  const auto runs = list_runs(folder);
  if (runs.empty()) return "starts";
  std::ifstream log(runs.front().file("log.txt"), std::ios::binary | std::ios::ate);
  if (!log) return "starts";
  const auto size = static_cast<std::streamoff>(log.tellg());
  std::string tail(static_cast<size_t>(std::min<std::streamoff>(size, 2048)), ' ');
  log.seekg(size - static_cast<std::streamoff>(tail.size()));
  log.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  while (tail.ends_with('\n')) tail.pop_back();
  const std::string line = tail.substr(tail.rfind('\n') + 1);
  if (!line.starts_with("epoch")) return "at work";  // a heading, a warning, the end
  const size_t loss = line.find("  loss "), left = line.rfind("left ");
  return loss == std::string::npos || left == std::string::npos ? line
                                                                : line.substr(0, loss) + "  " + line.substr(left);
}

std::optional<double> seconds_left(const Plan& plan, const SweepState& state, const Journal& journal, int64_t jobs) {
  const auto kind = [](const Cell& c) { return concat(c.resolved.dataset, c.resolved.model, c.resolved.quantized()); };
  struct Pace {
    double seconds = 0, epochs = 0;
  };
  std::map<std::string, Pace> paces;
  Pace all;
  for (size_t i = 0; i < plan.cells.size(); ++i) {
    const JournalEntry* entry = journal.find(plan.cells[i].name);
    if (state.cells[i].state != CellState::done || entry == nullptr) continue;
    for (Pace* pace : {&paces[kind(plan.cells[i])], &all}) {
      pace->seconds += entry->seconds, pace->epochs += static_cast<double>(plan.cells[i].resolved.epochs);
    }
  }
  if (all.epochs == 0) return std::nullopt;
  double left = 0;
  for (size_t i = 0; i < plan.cells.size(); ++i) {
    const CellState s = state.cells[i].state;
    if (s != CellState::open && s != CellState::started) continue;
    const auto own = paces.find(kind(plan.cells[i]));
    const Pace& pace = own == paces.end() ? all : own->second;
    const JournalEntry* entry = journal.find(plan.cells[i].name);
    const double whole = pace.seconds / pace.epochs * static_cast<double>(plan.cells[i].resolved.epochs);
    left += std::max(0.0, whole - (entry == nullptr ? 0 : entry->seconds));
  }
  return left / static_cast<double>(jobs);
}

}  // namespace ntq::apps
