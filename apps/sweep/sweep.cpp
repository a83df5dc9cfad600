#include "apps/sweep/sweep.h"

#include <csignal>
#include <filesystem>

#include "apps/report/page.h"
#include "apps/report/sweep_page.h"
#include "apps/signals.h"
#include "apps/sweep/answers.h"
#include "apps/sweep/cell_analyses.h"
#include "apps/sweep/pace.h"
#include "apps/sweep/pages.h"
#include "apps/sweep/runner.h"
#include "apps/sweep/standing.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

int64_t open_cells(const SweepState& state) { return state.count(CellState::open) + state.count(CellState::started); }

std::string counts(const SweepState& state) {
  return concat(state.count(CellState::done), " done, ", open_cells(state), " open, ", state.count(CellState::failed),
                " failed");
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    throw CheckpointError(
        concat(path, ": cannot create the sweep's folder: ", error.message(), "; name a writable place with --output"));
  }
}

/// A start that is not there would be found out by each cell for itself.
void check_inits(const Plan& plan) {
  for (const Cell& cell : plan.cells) {
    if (cell.start || !cell.resolved.init || std::filesystem::exists(*cell.resolved.init)) continue;
    throw CheckpointError(concat("--init ", *cell.resolved.init, ": no such file"));
  }
}

Json list_cells(const SweepCommand& command, const Standing& s, const Journal& journal, Console& console) {
  const RunnerOptions options{.folder = command.folder(), .program = "ntq-train", .jobs = command.jobs};
  Json cells = Json::array();
  for (size_t i = 0; i < s.plan.cells.size(); ++i) {
    const Cell& cell = s.plan.cells[i];
    const CellStatus& status = s.state.cells[i];
    const std::string init = cell.start ? folder_of(command.folder(), s.plan.cells[*cell.start]) + "/.../last.bin" : "";
    std::vector<std::string> words = cell_words(cell, status, options, init);
    words.insert(words.begin(), "ntq-train");
    const std::string line = shell_line(words);
    cells.push_back({{"name", cell.name}, {"state", state_text(status.state)}, {"command", line}});
    const std::string what = concat(state_text(status.state), std::string(9, ' ')).substr(0, 9);
    console.line(what + cell.name +
                 (status.failure ? concat("  exit code ", status.failure->exit_code, ": ", status.failure->line) : ""));
    if (status.state != CellState::done) console.line("           " + line);
  }
  const auto left = seconds_left(s.plan, s.state, journal, command.jobs);
  console.line(concat(s.plan.cells.size(), " cells in ", command.folder(), ": ", counts(s.state),
                      left ? ", about " + duration(*left) + " left" : ""));
  if (command.file.size) {
    console.line(concat("cells of ", in_quotes(command.file.size->row),
                        " at further seeds are planned when their size "
                        "is known"));
  }
  return {{"cells", cells}, {"seconds_left", left ? Json(*left) : Json()}};
}

Json show_tables(const SweepCommand& command, const Standing& s, const Journal& journal, Console& console) {
  const SweepTable table = table_of(command.file, s);
  console.block(console_page(table));
  const auto write = [&](const std::optional<std::string>& path, const std::string& text) {
    if (!path) return;
    write_file_atomically(*path, text);
    console.line("  " + *path);
  };
  write(command.csv, csv_text(s.plan, s.plan.places, table, s.state, journal));
  write(command.markdown, markdown_page(table));
  if (command.html) {
    const std::string beside = std::filesystem::path(*command.html).parent_path().string();
    write_report(*command.html, sweep_page(command.file, s, beside.empty() ? "." : beside));
    console.line("  " + *command.html);
  }
  return sweep_json(s.plan, table, s.state, journal);
}

void train_cells(const SweepCommand& command, const std::string& program, Journal& journal, Console& console) {
  const RunnerOptions options{.folder = command.folder(), .program = program, .jobs = command.jobs};
  for (int64_t planned = -1;;) {
    Standing s = stand(command.file, command.folder(), command.max_cells, journal);
    if (planned == static_cast<int64_t>(s.plan.cells.size())) return;  // nothing new has been chosen
    planned = static_cast<int64_t>(s.plan.cells.size());
    console.line(concat(command.folder(), ": ", s.plan.cells.size(), " cells, ", counts(s.state)));
    Runner(s.plan, options, journal, console).run(s.state);
    if (stop_signal() != 0) {
      throw Error(concat("interrupted: ", counts(s.state), ". The same command goes on"), 128 + stop_signal());
    }
  }
}

/// After all that could be trained.
std::optional<Error> failure_of(const Standing& s) {
  const int64_t failed = s.state.count(CellState::failed), open = open_cells(s.state);
  for (size_t i = 0; failed > 0 && i < s.plan.cells.size(); ++i) {
    const auto& failure = s.state.cells[i].failure;
    if (s.state.cells[i].state != CellState::failed || !failure) continue;
    return Error(concat(failed, " of ", s.plan.cells.size(), " cells failed",
                        open > 0 ? concat(", ", open, " open") : "", "; the first: ", s.plan.cells[i].name,
                        ", exit code ", failure->exit_code, ": ", failure->line, "; --retry-failed tries again"),
                 failure->exit_code);
  }
  if (open > 0) return Error(concat("interrupted: ", counts(s.state), ". The same command goes on"), 128 + SIGTERM);
  return std::nullopt;
}

}  // namespace

SweepAnswer run_sweep(const SweepCommand& command, const std::string& program, Console& console) {
  const std::string folder = command.folder();
  check_inits(make_plan(command.file, command.max_cells));
  for (const auto* path : {&command.csv, &command.markdown, &command.html}) {
    if (*path) check_writable(**path);
  }
  if (command.dry_run || command.table) {
    const Journal journal(folder);
    const Standing s = stand(command.file, command.folder(), command.max_cells, journal);
    return {command.dry_run ? list_cells(command, s, journal, console) : show_tables(command, s, journal, console)};
  }
  make_folder(folder);
  const RunLock lock({folder}, "another ntq-sweep is at work in this folder; wait for it, or give this one a --name");
  if (!lock.missing().empty()) {
    console.warn(
        concat(folder, ": cannot be locked (", lock.missing(), "): see to it that no other ntq-sweep uses it"));
  }
  remove_stale_temporaries(folder);
  std::string warning;
  Journal journal(folder, &warning);
  if (!warning.empty()) console.warn(warning);
  if (command.retry_failed) {
    for (const Cell& cell : stand(command.file, command.folder(), command.max_cells, journal).plan.cells) {
      const JournalEntry* entry = journal.find(cell.name);
      if (entry != nullptr && entry->failure) journal.put(cell.name, {.seconds = entry->seconds});
    }
  }
  write_file_atomically(folder + "/" + kKeptSweepFile, dump_json(to_json(command.file), 2) + "\n");
  catch_stop_signals(Watchdog::off);  // it waits for others, which have one each
  train_cells(command, program, journal, console);
  const std::string analyze = (std::filesystem::path(program).parent_path() / "ntq-analyze").string();
  const auto unmeasured =
      analyse_cells(command.file, stand(command.file, folder, command.max_cells, journal), analyze, console);
  const Standing s = stand(command.file, command.folder(), command.max_cells, journal);
  Json out = show_tables(command, s, journal, console);
  console.line(concat(folder, ": ", counts(s.state)));
  const auto failure = failure_of(s);
  return {std::move(out), failure ? failure : unmeasured};
}

}  // namespace ntq::apps
