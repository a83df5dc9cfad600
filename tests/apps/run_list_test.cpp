// Runs side by side.
#include "apps/run_list.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "apps/config.h"
#include "base/check.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using namespace ntq::test;

namespace {

/// A run of `noise` below the folder, after one epoch of three.
std::string listed_run(const TempFolder& folder, const std::string& name, double noise) {
  TrainConfig config;
  config.dataset = "synthetic", config.model = "resnet20", config.bits = 4, config.epochs = 3, config.noise = noise;
  config.init = "/fp.bin";
  const std::string path = folder / name;
  std::filesystem::create_directories(path);
  write_file(path + "/config.json", config_to_json(resolve(config), JsonPart::all).dump());
  write_file(path + "/metrics.jsonl", "{\"epoch\": 1, \"val_top1\": 51.5, \"seconds\": 60}\n");
  return path;
}

}  // namespace

TEST_CASE("runs are found below a folder, and read") {
  const TempFolder folder;
  listed_run(folder, "b", 0.1);
  const std::string done = listed_run(folder, "sweep/cell/a", 0.3);
  write_file(done + "/metrics.jsonl",
             "{\"epoch\": 1, \"val_top1\": 80, \"seconds\": 60}\n{\"epoch\": 3, \"val_top1\": 70, \"seconds\": 5}\n");
  write_file(done + "/result.json", "{\"deployed_bytes\": 154000}");
  const auto found = find_runs(folder.str());
  REQUIRE(found.size() == 2);
  CHECK(found[0].name() == "b");
  const ListedRun first = read_listed(found[0]), second = read_listed(found[1]);
  CHECK_FALSE(first.finished);
  CHECK(first.epoch == 1);
  CHECK(*first.top1 == 51.5);
  CHECK(second.finished);
  CHECK(*second.top1 == 70);
  CHECK(*second.best == 80);
  CHECK(second.seconds == 65);
  CHECK(*second.bytes == 154000);
  CHECK(differing_settings({first, second}) == std::vector<std::string>{"quant.noise"});
  CHECK_THROWS_AS(find_runs(folder / "none"), ntq::CheckpointError);
}

TEST_CASE("ntq-runs shows a table, and damaged runs as a warning") {
  const TempFolder folder;
  listed_run(folder, "a", 0.1);
  listed_run(folder, "b", 0.3);
  std::filesystem::create_directories(folder / "c");
  write_file(folder / "c/config.json", "{");
  const Outcome outcome = run("ntq-runs --sort top1 " + folder.str());
  CHECK(outcome.code == 0);
  CHECK(lines_of(outcome.out) == 3);
  CHECK(contains(outcome.out, "quant.noise"));
  CHECK(contains(outcome.out, "1 of 3"));
  CHECK(contains(outcome.err, "warning: " + folder.str() + "/c/config.json: not valid JSON"));
  const std::string header = outcome.out.substr(0, outcome.out.find('\n'));
  CHECK(contains(header, " epoch "));
  const Outcome twice = run("ntq-runs --sort top1 " + folder.str() + " " + folder.str() + "/ " + folder / "a");
  CHECK(twice.out == outcome.out);
  const auto json = nlohmann::json::parse(run("ntq-runs --json " + folder / "a").out);
  CHECK(json["runs"].size() == 1);
  CHECK(json["differing"].empty());
  CHECK(run("ntq-runs --sort x").code == 2);
  CHECK(run("ntq-runs " + folder / "none").code == 4);
}

TEST_CASE("of a long setting the end is shown, and a finished run without its epochs is a warning") {
  const TempFolder folder;
  const std::string long_name(100, 'x');
  for (const char* name : {"a", "b"}) {
    const std::string path = listed_run(folder, name, 0.1);
    auto config = nlohmann::ordered_json::parse(read_file(path + "/config.json"));
    config["init"] = "/" + long_name + "/" + name + ".bin";
    write_file(path + "/config.json", config.dump());
  }
  const std::string c = listed_run(folder, "c", 0.1);
  write_file(c + "/result.json", "{}");
  write_file(c + "/metrics.jsonl", "{\"epoch\": 1,");
  const Outcome outcome = run("ntq-runs " + folder.str());
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "...xxx"));
  CHECK(contains(outcome.out, "x/a.bin"));
  CHECK(contains(outcome.out, "x/b.bin"));
  CHECK_FALSE(contains(outcome.out, "/c"));
  CHECK(contains(outcome.err, "warning: " + c + "/metrics.jsonl: expected a line for each epoch"));
}
