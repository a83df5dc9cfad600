// ntq-runs: lists runs, and compares them.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>

#include "apps/command.h"
#include "apps/json.h"
#include "apps/run_list.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

struct RunsOptions {
  std::vector<std::string> paths = {"runs"};
  std::string sort = "name";
  bool json = false;
};

bool parse(int argc, char** argv, RunsOptions& o) {
  CLI::App app("List runs and compare them: how far, accuracy, time, size, and the settings in which they differ.");
  app.add_option("PATH", o.paths, "run folders, or folders with runs in them or below [runs]")->type_name("");
  app.add_option("--sort", o.sort, "name, top1 or time [name]")->type_name("NAME");
  app.add_flag("--json", o.json, "one JSON object on stdout");
  if (!parse_or_answer(app, argc, argv)) return false;
  if (o.sort != "name" && o.sort != "top1" && o.sort != "time") {
    throw UsageError("--sort: expected name, top1 or time, found " + in_quotes(o.sort));
  }
  return true;
}

std::vector<ListedRun> read_all(const RunsOptions& o) {
  std::vector<ListedRun> runs;
  std::set<std::filesystem::path> seen;  // a folder may be named twice, or lie in another one
  for (const auto& path : o.paths) {
    for (const auto& run : find_runs(path)) {
      if (seen.insert(std::filesystem::weakly_canonical(run.path)).second) runs.push_back(read_listed(run));
    }
  }
  const auto key = [&](const ListedRun& listed) {
    return o.sort == "top1" ? -listed.top1.value_or(-1) : o.sort == "time" ? listed.seconds : 0;
  };
  std::stable_sort(runs.begin(), runs.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return runs;
}

std::string setting(const ListedRun& listed, const std::string& key) {
  const auto found = listed.settings.find(key);
  return found == listed.settings.end() ? "-" : found->second;
}

/// On one line; of a long text the end, where paths differ.
std::string ending(const std::string& text) {
  constexpr size_t kMost = 60;
  const std::string line = printable(text);
  if (line.size() <= kMost) return line;
  size_t cut = line.size() - (kMost - 3);
  while (cut < line.size() && (static_cast<unsigned char>(line[cut]) & 0xC0) == 0x80) ++cut;  // whole characters
  return "..." + line.substr(cut);
}

void print(const std::vector<ListedRun>& runs, const std::vector<std::string>& differing) {
  std::vector<std::vector<std::string>> rows = {{"run", "epoch", "top-1", "best", "time", "size"}};
  rows[0].insert(rows[0].end(), differing.begin(), differing.end());
  const auto percent = [](const std::optional<double>& value) { return value ? fixed(*value, 2) : "-"; };
  for (const auto& r : runs) {
    if (!r.problem.empty()) continue;
    rows.push_back({printable(r.run.path), r.finished ? std::to_string(r.epochs) : concat(r.epoch, " of ", r.epochs),
                    percent(r.top1), percent(r.best), duration(r.seconds), r.bytes ? bytes_text(*r.bytes) : "-"});
    for (const auto& key : differing) rows.back().push_back(ending(setting(r, key)));
  }
  std::cout << table(rows);
  for (const auto& r : runs) {
    if (!r.problem.empty()) std::cerr << "warning: " << printable(r.problem) << '\n';
  }
}

Json to_json(const ListedRun& r) {
  if (!r.problem.empty()) return {{"run", r.run.path}, {"error", r.problem}};
  const auto or_null = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  return {{"run", r.run.path},    {"finished", r.finished},    {"epoch", r.epoch},
          {"epochs", r.epochs},   {"top1", or_null(r.top1)},   {"best_top1", or_null(r.best)},
          {"seconds", r.seconds}, {"bytes", or_null(r.bytes)}, {"settings", r.settings}};
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    RunsOptions options;
    if (!parse(argc, argv, options)) return;
    const auto runs = read_all(options);
    const auto differing = differing_settings(runs);
    if (!options.json) {
      print(runs, differing);
      return;
    }
    Json all = Json::array();
    for (const auto& listed : runs) all.push_back(to_json(listed));
    print_json({{"runs", all}, {"differing", differing}});
  });
}
