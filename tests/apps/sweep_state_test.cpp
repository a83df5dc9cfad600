// How far the cells of a sweep have come, as its folder says it.
#include "apps/sweep/cell_state.h"

#include <doctest/doctest.h>

#include "apps/json.h"
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
  journal.put(cell.name, {1, Failure{4, "no space"}});
  CHECK(state().state == CellState::failed);
  write_file(run + "/result.json", "{");
  CHECK(state().state == CellState::failed);
  write_file(run + "/result.json", "{}");
  CHECK(state().state == CellState::done);  // whatever the journal says
}
