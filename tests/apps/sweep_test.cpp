// ntq-sweep as a user runs it: killed, stopped, gone on with, and given bad input.
#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tests/apps/tools.h"
#include "tests/support/text.h"
#include "tests/support/wait.h"

using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

const std::string kOptions =
    " --limit-train 64 --limit-val 16 --batch-size 16 --log-interval 1 --workers 0 --no-start-eval ";
/// A full-precision stage and two networks from it.
const std::string kGrid = "ntq-sweep s synthetic resnet20 --bits 4 --method lsq,ntq --epochs 2 --jobs 2" + kOptions;

/// last.bin of each cell, by the cell's name.
std::map<std::string, std::string> checkpoints(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& cell : fs::directory_iterator(folder)) {
    if (!cell.is_directory()) continue;
    for (const auto& run : fs::directory_iterator(cell)) {
      if (fs::exists(run.path() / "result.json")) out[cell.path().filename()] = read_file(run.path() / "last.bin");
    }
  }
  return out;
}

/// A file of that name in a run of any cell.
bool any_run_has(const std::string& folder, const char* name) {
  if (!fs::exists(folder)) return false;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename() == name) return true;
  }
  return false;
}

/// The sweep that nothing has disturbed, made once.
const TempFolder& undisturbed_sweep() {
  static const TempFolder folder;
  static const Outcome outcome = run(kGrid + "--output " + folder.str() + " --markdown " + folder / "t.md");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  return folder;
}

}  // namespace

TEST_CASE("a sweep trains the full-precision stage once and makes a table; the same command runs nothing again") {
  const TempFolder& folder = undisturbed_sweep();
  CHECK(checkpoints(folder / "s").size() == 3);
  CHECK(contains(read_file(folder / "t.md"), "| ntq | "));
  const Outcome again = run(kGrid + "--output " + folder.str() + " --json");
  REQUIRE_MESSAGE(again.code == 0, again.err);
  const auto json = nlohmann::json::parse(again.out);
  CHECK(json["done"] == 3);
  CHECK(json["rows"].size() == 2);
  CHECK_FALSE(contains(again.err, "starts "));
  const Outcome more = run(kGrid + "--noise 0.3 --dry-run --output " + folder.str());
  CHECK(contains(more.out, "4 cells") == false);
  CHECK(contains(more.out, "3 cells in " + folder.str() + "/s: 2 done, 1 open, 0 failed"));
  CHECK(contains(more.out, "--noise 0.3"));
}

TEST_CASE("a sweep has its finished networks looked at, once, and shows what was found") {
  const TempFolder folder;
  fs::copy(undisturbed_sweep().str(), folder.str(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  const auto sweep = [&](const std::string& analysis) {
    write_file(folder / "f.json",
               R"({"name": "s", "options": {"dataset": "synthetic", "model": "resnet20", "bits": 4, "epochs": 2},
                   "grid": {"method": ["lsq", "ntq"]}, "analyses": [")" +
                   analysis + R"("], "table": {"also": ["sharpness effective 100 0.001"]}})");
    return run("ntq-sweep " + folder / "f.json" + kOptions + "--output " + folder.str() + " --csv " + folder / "t.csv");
  };
  const std::string small = "sharpness --where effective --rho 1e-3 --limit-val 16";
  const Outcome bad = sweep("sharpness --rho x");
  CHECK(bad.code == 2);
  CHECK(contains(bad.err, ": ntq-analyze sharpness failed: "));
  CHECK_FALSE(any_run_has(folder / "s", "sharpness.json"));
  CHECK_FALSE(any_run_has(folder / "s", "sharpness.json.part"));
  const Outcome first = sweep(small), again = sweep(small);
  REQUIRE_MESSAGE(first.code == 0, first.err);
  CHECK(contains(first.out, "looks at synthetic-resnet20-w4a4-lsq"));
  CHECK(contains(first.out, "sharpness effective 100 0.001, percent"));
  CHECK(contains(read_file(folder / "t.csv"), ",loss,sharpness effective 100 0.001,best_top1,"));
  CHECK_FALSE(contains(again.out, "looks at"));
  CHECK(contains(again.out, "sharpness effective 100 0.001, percent"));
  CHECK(contains(sweep("sharpnes").err, "expected one of histograms, sensitivity, sharpness"));
}

TEST_CASE("a sweep that is killed, and then stopped, goes on to the same bytes" *
          doctest::test_suite("optimised build only")) {
  const TempFolder folder;
  const std::string command = kGrid + "--output " + folder.str();
  const pid_t killed = start(command);
  REQUIRE(wait_until([&] { return any_run_has(folder / "s", "last.bin"); }));
  kill(killed, SIGKILL);
  CHECK(finish(killed) == 128 + SIGKILL);
  const pid_t stopped = start(command);  // its first cell may still be saved by the child that was left
  REQUIRE(wait_until([&] { return !checkpoints(folder / "s").empty(); }));
  kill(stopped, SIGTERM);
  const int code = finish(stopped);
  CHECK(code == 128 + SIGTERM);
  const Outcome last = run(command);
  REQUIRE_MESSAGE(last.code == 0, last.err);
  CHECK(checkpoints(folder / "s") == checkpoints(undisturbed_sweep() / "s"));
}

TEST_CASE("a cell that fails is recorded, the others go on, and --retry-failed tries it again") {
  const TempFolder folder;  // which holds no CIFAR-10
  const std::string command = "ntq-sweep s cifar10,synthetic resnet20 --epochs 1 --data-dir " + folder.str() +
                              " --output " + folder.str() + kOptions;
  const Outcome first = run(command);
  CHECK(first.code == 3);
  CHECK(contains(first.err, "error: 1 of 2 cells failed; the first: cifar10-resnet20-fp-seed0-"));
  CHECK(checkpoints(folder / "s").size() == 1);
  CHECK(contains(read_file(folder / "s/journal.json"), "\"exit_code\": 3"));
  const Outcome second = run(command), retried = run(command + " --retry-failed");
  CHECK(second.code == 3);
  CHECK_FALSE(contains(second.out, "starts "));
  CHECK(retried.code == 3);
  CHECK(contains(retried.out, "starts   cifar10-"));
  const Outcome told = run(command + " --json");
  CHECK(told.code == 3);
  CHECK(lines_of(told.out) == 1);
  const auto json = nlohmann::json::parse(told.out);
  CHECK(json["exit_code"] == 3);
  CHECK(contains(json["error"].get<std::string>(), "1 of 2 cells failed; the first: cifar10-"));
  CHECK(json["done"] == 1);
  CHECK(json["failed"] == 1);
  CHECK(json["cells"].size() == 2);
  CHECK(json["cells"][0]["exit_code"] == 3);
}

TEST_CASE("two sweeps in one folder are refused, and a table is not") {
  const TempFolder folder;
  const std::string command = "ntq-sweep s synthetic resnet20 --epochs 100000 --output " + folder.str() + kOptions;
  const pid_t first = start(command);
  REQUIRE(wait_until([&] { return any_run_has(folder / "s", "last.bin"); }));
  const Outcome second = run(command);
  CHECK(second.code == 4);
  CHECK(contains(second.err, "another ntq-sweep is at work in this folder"));
  CHECK(lines_of(second.err) == 1);
  CHECK(run(command + " --table").code == 0);
  kill(first, SIGINT);
  CHECK(finish(first) == 128 + SIGINT);
  CHECK(contains(run(command + " --dry-run").out, "--resume="));
}

TEST_CASE("bad command lines of a sweep are one line and exit code 2") {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "SWEEP is missing"},
      {"s", "expected ntq-sweep FILE.json, or ntq-sweep NAME DATASET MODEL"},
      {"no.json", "no.json"},
      {"s synthetic resnet20 --bitz 4", "unknown option '--bitz'; did you mean --bits?"},
      {"s synthetic resnet20 --bits 4,9", "--bits: expected 2 to 8, or 32 for full precision, found 9"},
      {"s synthetic resnet20 --bits 4,x", "--bits: expected an integer, found 'x'"},
      {"s synthetic resnet20 --seed 3..1", "--seed: expected a range"},
      {"s synthetic resnet20 --seed 0..999999", "a grid of 1000000 cells, the limit is 1000"},
      {"s synthetic resnet20 --seed 0..9 --method lsq,lqs", "--method: expected one of"},
      {"s synthetic resnet20 --quant penalty=1,2 --bits 4", "penalty"},
      {"a/b synthetic resnet20", "a/b"},
      {"s synthetic resnet20 --baseline x", "the baseline \"x\" is no row"},
  };
  for (const auto& each : wrong) {
    const std::string words = each.first;
    const TempFolder folder;
    const Outcome outcome = run("ntq-sweep --output " + folder.str() + " " + words);
    CHECK_MESSAGE(outcome.code == 2, words, ": ", outcome.err);
    CHECK_MESSAGE(contains(outcome.err, each.second), words, ": ", outcome.err);
    CHECK_MESSAGE(lines_of(outcome.err) == 1, words, ": ", outcome.err);
    CHECK(folder.entries() == 0);
  }
  CHECK(run("ntq-sweep s synthetic resnet20 --bits 4 --init /nonexistent.bin").code == 4);
  CHECK(run("ntq-sweep s synthetic resnet20 --output /proc/x").code == 4);
  CHECK(lines_of(run("ntq-sweep --help").out) < 80);
}

TEST_CASE("each sweep file of the repository is a sweep" * doctest::skip(!fs::exists(NTQ_SOURCE_DIR "/sweeps"))) {
  for (const auto& file : fs::directory_iterator(NTQ_SOURCE_DIR "/sweeps")) {
    if (file.path().extension() != ".json") continue;
    const TempFolder folder;
    // Weights of other people are not there: a file stands for them.
    const std::string before =
        "cd " + folder.str() +
        " && mkdir weights && for m in 18 34 50 152; do touch weights/resnet$m.safetensors; done && ";
    const Outcome outcome = run("ntq-sweep " + file.path().string() + " --dry-run", before);
    CHECK_MESSAGE(outcome.code == 0, file.path().string(), ": ", outcome.err);
    CHECK(contains(outcome.out, " open, 0 failed"));
  }
}
