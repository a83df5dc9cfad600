#include "apps/sweep/runner.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "apps/signals.h"
#include "apps/sweep/pace.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

constexpr double kLongStart = 60;  // seconds after which a training has come to its first steps

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// "cifar10-resnet20-w2a32-ntq-seed0": for the eye.
std::string short_name(const Cell& cell) { return cell.name.substr(0, cell.name.rfind('-')); }

/// Ended because somebody asked it to: the run is saved and no failure.
bool asked_to_stop(int code) {
  return code == 128 + SIGHUP || code == 128 + SIGINT || code == 128 + SIGUSR1 || code == 128 + SIGTERM ||
         code == 128 + SIGXCPU;
}

/// Of a training that did not say it itself.
std::string end_text(int code) {
  return code > 128 ? concat("killed by signal ", code - 128) : concat("ended with exit code ", code);
}

bool is_full_disk(const std::string& line) {
  return line.find(std::strerror(ENOSPC)) != std::string::npos || line.find(std::strerror(EDQUOT)) != std::string::npos;
}

bool is_free(const RunFolder& run) {
  try {
    const RunLock lock(run);
    return true;
  } catch (const CheckpointError&) {
    return false;
  }
}

}  // namespace

Runner::Runner(const Plan& plan, RunnerOptions options, Journal& journal, Console& console)
    : plan_(plan),
      options_(std::move(options)),
      journal_(journal),
      console_(console),
      held_(plan.cells.size()),
      told_(plan.cells.size()) {}

bool Runner::running(size_t cell) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.cell == cell; });
}

bool Runner::has_room() {
  for (const Job& job : jobs_) {
    // Before it trains, what it takes is not known.
    const bool trains = progress_of(folder_of(options_.folder, plan_.cells[job.cell])).starts_with("epoch");
    if (!trains && seconds_since(job.since) < kLongStart) return false;
    peak_ = std::max(peak_, job.child->peak_memory());
  }
  const auto available = available_memory();
  if (jobs_.empty() || !available || *available >= peak_) return true;
  if (!short_of_memory_) {
    console_.line(concat("waits    a training takes ", bytes_text(static_cast<double>(peak_)), " of memory, ",
                         bytes_text(static_cast<double>(*available)), " are left: fewer than ", options_.jobs,
                         " at a time"));
  }
  short_of_memory_ = true;
  return false;
}

std::optional<size_t> Runner::next(const SweepState& state) {
  for (size_t i = 0; i < plan_.cells.size(); ++i) {
    const CellStatus& status = state.cells[i];
    const auto& start = plan_.cells[i].start;
    if (status.state != CellState::open && status.state != CellState::started) continue;
    if (held_[i] || running(i) || (start && state.cells[*start].state != CellState::done)) continue;
    return i;
  }
  return std::nullopt;
}

void Runner::launch(size_t cell, const SweepState& state) {
  const auto& start = plan_.cells[cell].start;
  const std::string init = start ? state.cells[*start].run->file("last.bin") : "";
  const CellStatus& status = state.cells[cell];
  if (!status.run && !status.lost.empty()) {
    console_.warn(concat(plan_.cells[cell].name, " starts anew, as its run cannot be gone on with: ", status.lost));
  }
  if (status.run && status.run->finished()) {  // ntq-train would take it for the end
    const std::string result = status.run->file("result.json");
    std::error_code error;
    std::filesystem::remove(result, error);
    console_.warn(concat(result, ": damaged, ", error ? "and cannot be removed: " + error.message() : "removed",
                         "; last.bin makes it anew"));
  }
  jobs_.push_back({cell, Clock::now(),
                   std::make_unique<Child>(options_.program, cell_words(plan_.cells[cell], status, options_, init))});
  console_.line(concat(status.run ? "goes on  " : "starts   ", plan_.cells[cell].name));
}

void Runner::finish(const Job& job, int code, SweepState& state) {
  const Cell& cell = plan_.cells[job.cell];
  CellStatus& status = state.cells[job.cell];
  const JournalEntry* before = journal_.find(cell.name);
  JournalEntry entry{.seconds = (before == nullptr ? 0 : before->seconds) + seconds_since(job.since)};
  status = status_of(options_.folder, cell, journal_);
  if (status.state == CellState::done) {
    state.scores[job.cell] = score_of(*status.run);
    const auto& score = state.scores[job.cell];
    console_.line(concat("done     ", cell.name, "  top-1 ", score ? fixed(score->top1, 2) + "%" : "?", "  ",
                         duration(entry.seconds)));
  } else if (asked_to_stop(code)) {
    held_[job.cell] = true;
    console_.line(concat("stopped  ", cell.name));
  } else if (const std::string line = job.child->error_line(); is_full_disk(line)) {
    stop_all();
    throw CheckpointError(
        concat("no space left for the runs: ", line, "; what is finished stays, the same command goes on"));
  } else {
    entry.failure = {code, line.empty() ? end_text(code) : line};
    status.state = CellState::failed, status.failure = entry.failure;
    console_.warn(concat(cell.name, " failed (exit code ", code, "): ", entry.failure->line));
  }
  journal_.put(cell.name, entry);
}

void Runner::stop_all() {
  for (const Job& job : jobs_) job.child->ask_to_stop();
  while (std::any_of(jobs_.begin(), jobs_.end(), [](const Job& job) { return !job.child->ended(); })) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void Runner::show(const SweepState& state) {
  if (!console_.live()) return;
  std::string text;
  for (const Job& job : jobs_) {
    const Cell& cell = plan_.cells[job.cell];
    text += concat(short_name(cell), "  ", progress_of(folder_of(options_.folder, cell)), "\n");
  }
  const auto left = seconds_left(plan_, state, journal_, options_.jobs);
  const int64_t open = state.count(CellState::open) + state.count(CellState::started);
  console_.progress(text + concat("cells: ", state.count(CellState::done), " done, ", jobs_.size(), " running, ",
                                  open - static_cast<int64_t>(jobs_.size()), " open, ", state.count(CellState::failed),
                                  " failed  left ", left ? duration(*left) : "?"));
}

void Runner::run(SweepState& state) {
  using std::chrono::milliseconds;
  auto drawn = Clock::now() - std::chrono::seconds(1);
  for (;;) {
    while (stop_signal() == 0 && jobs_.size() < static_cast<size_t>(options_.jobs)) {
      const auto cell = next(state);
      if (!cell || !has_room()) break;
      const auto& run = state.cells[*cell].run;
      if (run && !is_free(*run)) {  // a child of a sweep that was killed is saving
        if (!told_[*cell]) console_.line(concat("waits    ", run->path, ": another ntq-train is writing it"));
        told_[*cell] = true;
        break;
      }
      launch(*cell, state);
    }
    if (stop_signal() != 0) {
      console_.clear_progress();
      stop_all();
    }
    for (size_t i = 0; i < jobs_.size();) {
      const auto code = jobs_[i].child->ended();
      if (!code) {
        ++i;
        continue;
      }
      const Job job = std::move(jobs_[i]);
      jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(i));
      finish(job, *code, state);
      drawn -= std::chrono::seconds(1);
    }
    if (stop_signal() != 0) break;
    if (jobs_.empty() && !next(state)) break;
    if (Clock::now() - drawn >= milliseconds(1000)) {
      show(state);
      drawn = Clock::now();
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
  console_.clear_progress();
}

}  // namespace ntq::apps
