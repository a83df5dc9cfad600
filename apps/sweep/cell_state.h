#pragma once
// What a sweep's folder knows: how far each cell has come, from its run folder, and what a run folder does not say,
// from journal.json: failures and times.
#include <map>
#include <optional>
#include <string>

#include "apps/run_folder.h"
#include "apps/sweep/cell.h"

namespace ntq::apps {

struct Failure {
  int exit_code = 0;  ///< or 128 + the signal that killed it
  std::string line;   ///< its error, or how it ended
};

struct JournalEntry {
  double seconds = 0;  ///< of all its attempts
  std::optional<Failure> failure = {};
};

/// Cells by name. Those of another sweep file of the same folder are kept.
class Journal {
 public:
  /// Reads `folder`/journal.json, if there is one. A damaged file is told in `warning`, and is as none: what is
  /// finished does not depend on it.
  explicit Journal(const std::string& folder, std::string* warning = nullptr);
  const JournalEntry* find(const std::string& cell) const;
  /// Changes an entry and rewrites the file atomically. Throws CheckpointError.
  void put(const std::string& cell, const JournalEntry& entry);

 private:
  std::string path_;
  std::map<std::string, JournalEntry> entries_;
};

enum class CellState { open, started, done, failed };

struct CellStatus {
  CellState state = CellState::open;
  std::optional<RunFolder> run = {};  ///< that which is finished, or can be gone on with
  std::optional<Failure> failure = {};
  std::string lost = {};  ///< why a run that had begun cannot be gone on with, where there is one; else ""
};

/// `folder`/<name>, in which ntq-train makes the cell's run.
std::string folder_of(const std::string& folder, const Cell& cell);
/// A finished run of the cell's recipe, whatever the journal says; else an unfinished one whose last.bin is whole, or
/// not there yet. A run whose result.json is damaged is unfinished, and its last.bin makes another. A run folder that
/// cannot be read counts as none.
CellStatus status_of(const std::string& folder, const Cell& cell, const Journal& journal);

}  // namespace ntq::apps
