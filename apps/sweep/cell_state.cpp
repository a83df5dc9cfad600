#include "apps/sweep/cell_state.h"

#include <filesystem>

#include "apps/checkpoint.h"
#include "apps/json.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/input_file.h"

namespace ntq::apps {
namespace {

/// An entry as the file has it; throws on anything else.
JournalEntry entry_of(const Json& json) {
  JournalEntry entry{.seconds = json.at("seconds").get<double>()};
  if (json.contains("exit_code")) {
    entry.failure = {json.at("exit_code").get<int>(), json.at("error").get<std::string>()};
  }
  return entry;
}

/// The recipe of a run folder; nothing of one that cannot be read.
std::optional<Json> recipe_of(const RunFolder& run) {
  try {
    return config_to_json(read_run_config(run), JsonPart::recipe);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

/// Why a run that is not done cannot be gone on with; "" when it can.
std::string why_lost(const RunFolder& run) {
  const std::string last = run.file("last.bin");
  if (!run.has("last.bin")) return run.finished() ? last + ": not there, and result.json is damaged" : "";
  try {
    load_run_checkpoint(last);
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

Journal::Journal(const std::string& folder, std::string* warning) : path_(folder + "/journal.json") {
  if (!std::filesystem::exists(path_)) return;
  try {
    const Json json = parse_json(read_text_file(path_), path_);
    for (const auto& [name, entry] : json.at("cells").items()) entries_[name] = entry_of(entry);
  } catch (const std::exception& e) {
    entries_.clear();
    if (warning != nullptr)
      *warning = concat(path_, ": cannot be read, failures and times are forgotten (", e.what(), ")");
  }
}

const JournalEntry* Journal::find(const std::string& cell) const {
  const auto found = entries_.find(cell);
  return found == entries_.end() ? nullptr : &found->second;
}

void Journal::put(const std::string& cell, const JournalEntry& entry) {
  entries_[cell] = entry;
  Json cells = Json::object();
  for (const auto& [name, one] : entries_) {
    cells[name] = {{"seconds", one.seconds}};
    if (one.failure) cells[name].update({{"exit_code", one.failure->exit_code}, {"error", one.failure->line}});
  }
  write_file_atomically(path_, dump_json({{"cells", cells}}, 2) + "\n");
}

std::string folder_of(const std::string& folder, const Cell& cell) { return folder + "/" + cell.name; }

CellStatus status_of(const std::string& folder, const Cell& cell, const Journal& journal) {
  CellStatus status;
  const Json recipe = config_to_json(cell.resolved, JsonPart::recipe);
  for (const auto& run : list_runs(folder_of(folder, cell))) {
    if (recipe_of(run) != recipe) continue;
    const bool whole = run.finished() && parse_json_or_null(read_text_file(run.file("result.json"))).is_object();
    if (whole) return {CellState::done, run};
    if (status.run) continue;
    const std::string lost = why_lost(run);
    if (lost.empty()) {
      status = {CellState::started, run};
    } else if (status.lost.empty()) {
      status.lost = lost;
    }
  }
  const JournalEntry* entry = journal.find(cell.name);
  if (entry != nullptr && entry->failure) status.state = CellState::failed, status.failure = entry->failure;
  return status;
}

}  // namespace ntq::apps
