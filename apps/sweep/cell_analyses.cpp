#include "apps/sweep/cell_analyses.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "apps/report/file_sum.h"
#include "apps/signals.h"
#include "apps/sweep/child.h"
#include "apps/text.h"
#include "base/input_file.h"
#include "base/text.h"

namespace ntq::apps {
namespace {

bool is_there(const RunFolder& run, const std::string& name) {
  const std::string file = name + ".json";
  if (!run.has(file)) return false;
  const Json json = parse_json_or_null(read_text_file(run.file(file)));
  return json.is_object() && json.value("analysis", Json()) == name &&
         json.value("crc32", Json()) == file_crc32(run.file("last.bin"));
}

std::vector<std::string> words_of(const std::string& analysis, const Cell& cell, const RunFolder& run) {
  std::vector<std::string> words = {run.file("last.bin")};
  const auto own = words_between(analysis);
  words.insert(words.end(), own.begin(), own.end());
  words.insert(words.end(), {"--json", "--device", cell.given.device});
  const auto add = [&](const char* option, const auto& value) {
    if (value) words.insert(words.end(), {option, concat(*value)});
  };
  add("--data-dir", cell.given.data_dir);
  add("--threads", cell.given.threads);
  add("--workers", cell.given.workers);
  return words;
}

/// Its exit code; what it printed lies in `place` when that is 0.
int run_analysis(const std::string& program, const std::vector<std::string>& words, const std::string& place,
                 std::string& error) {
  const std::string part = place + ".part";
  Child child(program, words, part);
  for (bool told = false; !child.ended();) {
    if (stop_signal() != 0 && !told) child.ask_to_stop(), told = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const int code = *child.ended();
  std::error_code ignored;
  if (code == 0) {
    std::filesystem::rename(part, place);
  } else {
    std::filesystem::remove(part, ignored);
    error = child.error_line();
  }
  return code;
}

}  // namespace

std::optional<Error> analyse_cells(const SweepFile& file, const Standing& standing, const std::string& program,
                                   Console& console) {
  std::optional<Error> first;
  for (size_t i = 0; i < standing.plan.cells.size() && !file.analyses.empty(); ++i) {
    const Cell& cell = standing.plan.cells[i];
    const CellStatus& status = standing.state.cells[i];
    const bool shown = std::any_of(standing.plan.places.begin(), standing.plan.places.end(),
                                   [&](const Place& place) { return place.cell == i; });
    if (status.state != CellState::done || !shown || !status.run->has("last.bin")) continue;
    for (const std::string& analysis : file.analyses) {
      const std::string name = words_between(analysis).front();
      if (is_there(*status.run, name)) continue;
      console.line(concat("looks at ", cell.name, ": ", name));
      std::string error;
      const int code =
          run_analysis(program, words_of(analysis, cell, *status.run), status.run->file(name + ".json"), error);
      if (stop_signal() != 0) {
        throw Error(concat("interrupted while ", name, " was measured. The same command goes on"), 128 + stop_signal());
      }
      if (code == 0) continue;
      const std::string why = error.empty() ? concat("ended with exit code ", code) : error;
      console.warn(concat(cell.name, ": ", name, " failed (exit code ", code, "): ", why));
      if (!first) first.emplace(concat(cell.name, ": ntq-analyze ", name, " failed: ", why), code);
    }
  }
  return first;
}

std::map<std::string, double> sharpness_measures(const RunFolder& run) {
  std::map<std::string, double> out;
  if (!run.has("sharpness.json")) return out;
  const Json json = parse_json_or_null(read_text_file(run.file("sharpness.json")));
  if (!json.is_object() || !json.contains("rows") || !json["rows"].is_array()) return out;
  std::map<std::string, int> draws;
  for (const Json& row : json["rows"]) {
    const auto text = [&](const char* key) { return row.is_object() ? row.value(key, std::string()) : std::string(); };
    if (!row.is_object() || !row.contains("rho") || !row["rho"].is_number() || !row.contains("sharpness") ||
        !row["sharpness"].is_number()) {
      continue;
    }
    const std::string name =
        concat("sharpness ", text("where"), " ", text("space"), " ", general(row["rho"].get<double>(), 6));
    const int n = ++draws[name];
    out[name] += (row["sharpness"].get<double>() - out[name]) / n;
  }
  return out;
}

}  // namespace ntq::apps
