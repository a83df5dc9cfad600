// How far the cells of a sweep have come, as its folder says it.
#include "apps/sweep/cell_state.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "apps/json.h"
#include "apps/sweep/child.h"
#include "tests/apps/tools.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using namespace ntq::test;

namespace {

Cell cell_of_test() {
  TrainConfig config;
  config.dataset = "synthetic", config.model = "resnet20", config.epochs = 3;
  return make_cell(config);
}

/// A run folder of `config` in the cell's.
std::string make_run_of(const TempFolder& folder, const Cell& cell, const TrainConfig& config,
                        const std::string& name) {
  const std::string path = folder_of(folder.str(), cell) + "/" + name;
  std::filesystem::create_directories(path);
  write_file(path + "/config.json", config_to_json(config, JsonPart::all).dump());
  return path;
}

}  // namespace

TEST_CASE("a journal is as it was written, and a damaged one is none") {
  const TempFolder folder;
  Journal(folder.str()).put("a", {12.5, Failure{5, "layer \"x\""}});
  Journal(folder.str()).put("b", {3});
  const Journal journal(folder.str());
  REQUIRE(journal.find("a") != nullptr);
  CHECK(journal.find("a")->seconds == 12.5);
  CHECK(journal.find("a")->failure->exit_code == 5);
  CHECK(journal.find("a")->failure->line == "layer \"x\"");
  CHECK_FALSE(journal.find("b")->failure);
  CHECK(journal.find("c") == nullptr);
  for (const char* damaged : {"", "{", "[]", R"({"cells": {"a": 1}})", R"({"cells": {"a": {"seconds": "x"}}})"}) {
    write_file(folder / "journal.json", damaged);
    std::string warning;
    CHECK(Journal(folder.str(), &warning).find("a") == nullptr);
    CHECK_MESSAGE(contains(warning, "failures and times are forgotten"), damaged);
  }
}

TEST_CASE("the run folders of a cell say how far it has come") {
  const TempFolder folder;
  const Cell cell = cell_of_test();
  Journal journal(folder.str());
  const auto state = [&] { return status_of(folder.str(), cell, journal); };
  CHECK(state().state == CellState::open);
  TrainConfig other = cell.resolved;
  other.epochs = 4;
  write_file(make_run_of(folder, cell, other, "other") + "/result.json", "{}");
  CHECK(state().state == CellState::open);  // of another recipe
  std::filesystem::create_directories(folder_of(folder.str(), cell) + "/broken");
  write_file(folder_of(folder.str(), cell) + "/broken/config.json", "{");
  CHECK(state().state == CellState::open);
  const std::string run = make_run_of(folder, cell, cell.resolved, "run");
  CHECK(state().state == CellState::started);
  CHECK(state().run->path == run);
  write_file(run + "/last.bin", "cut");
  CHECK(state().state == CellState::open);  // nothing to go on with
  CHECK(contains(state().lost, run + "/last.bin"));
  journal.put(cell.name, {1, Failure{4, "no space"}});
  CHECK(state().state == CellState::failed);
  write_file(run + "/result.json", "{");
  CHECK(state().state == CellState::failed);
  write_file(run + "/result.json", "{}");
  CHECK(state().state == CellState::done);  // whatever the journal says
}

TEST_CASE("a finished cell whose result is damaged is finished by its last.bin, without one that is whole anew") {
  const TempFolder folder;
  const std::string command = "ntq-sweep s" + kTiny + "--epochs 1 --output " + folder.str();
  REQUIRE(ntq::test::run(command).code == 0);
  std::string path;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.path().filename() == "result.json") path = entry.path().parent_path().string();
  }
  REQUIRE(!path.empty());
  const std::string last = read_file(path + "/last.bin"), metrics = read_file(path + "/metrics.csv");
  write_file(path + "/result.json", "{\"dataset\":");
  const Outcome mended = ntq::test::run(command);
  CHECK_MESSAGE(mended.code == 0, mended.err);
  CHECK(contains(mended.err, path + "/result.json: damaged, removed"));
  CHECK(contains(mended.out, "goes on  "));
  CHECK(parse_json_or_null(read_file(path + "/result.json")).is_object());
  CHECK(read_file(path + "/last.bin") == last);
  CHECK(read_file(path + "/metrics.csv") == metrics);  // nothing has been trained again
  write_file(path + "/result.json", "");
  write_file(path + "/last.bin", last.substr(0, last.size() / 2));
  const Outcome anew = ntq::test::run(command);
  CHECK_MESSAGE(anew.code == 0, anew.err);
  CHECK(lines_of(anew.err) == 1);
  CHECK(contains(anew.err, " starts anew, as its run cannot be gone on with: " + path + "/last.bin"));
  CHECK(contains(anew.out, "starts   "));
}

TEST_CASE("a child's last line is its error only when it says so") {
  const auto line_of = [](const std::string& script) {
    Child child("/bin/sh", {"-c", script});
    while (!child.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return child.error_line();
  };
  CHECK(line_of("echo warning: a >&2; echo error: no data >&2; exit 3") == "no data");
  CHECK(line_of("echo error: no data >&2; echo Terminated >&2; exit 3") == "");
  CHECK(line_of("exit 3") == "");
}
