// Stop anywhere, go on, and end with the same bytes.
#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <thread>

#include "tests/apps/tools.h"
#include "tests/support/text.h"
#include "tests/support/wait.h"

using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

const std::string kFp = "/synthetic-resnet20-fp/", kQuant = "/synthetic-resnet20-w4a4-ntq/";
const std::string kRun =
    kTiny + "--bits 4 --epochs 3 --pretrain-epochs 2 --model-ema 0.9 --stats-every 3 --quiet --output ";

const std::string kPrecisions[] = {"fp32", "bf16"};

/// The two-stage run that nothing has disturbed, made once.
const TempFolder& undisturbed(const std::string& precision = "fp32") {
  static std::map<std::string, TempFolder> folders;
  const auto [found, fresh] = folders.try_emplace(precision);
  if (fresh) {
    const Outcome outcome = run("ntq-train" + kRun + found->second.str() + " --precision " + precision);
    REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  }
  return found->second;
}

/// metrics.csv without the columns that measure time.
std::string without_times(const std::string& csv) {
  std::istringstream lines(csv);
  std::string line, out;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::string cell;
    for (int column = 0; std::getline(cells, cell, ','); ++column) {
      if (column < 9 || column > 11) out += cell + ",";
    }
    out += "\n";
  }
  return out;
}

void check_same(const std::string& folder, const std::string& precision = "fp32") {
  const std::string& expected = undisturbed(precision).str();
  for (const std::string& stage : {kFp, kQuant}) {
    CHECK(contains(read_file(folder + stage + "result.json"), "\"precision\": \"" + precision + "\""));
    for (const char* name : {"last.bin", "best.bin"}) {
      REQUIRE_MESSAGE(fs::exists(folder + stage + name), folder, stage, name);
      CHECK_MESSAGE(read_file(folder + stage + name) == read_file(expected + stage + name), stage, name);
    }
    CHECK(without_times(read_file(folder + stage + "metrics.csv")) ==
          without_times(read_file(expected + stage + "metrics.csv")));
    CHECK(lines_of(read_file(folder + stage + "metrics.jsonl")) == (stage == kFp ? 2 : 3));
    CHECK(lines_of(read_file(folder + stage + "steps.csv")) == (stage == kFp ? 1 + 2 : 1 + 4));
    for (const char* name : {"steps.csv", "layers.csv"}) {
      CHECK_MESSAGE(read_file(folder + stage + name) == read_file(expected + stage + name), stage, name);
    }
  }
}

}  // namespace

TEST_CASE("the result does not depend on threads and loader workers" * doctest::test_suite("optimised build only")) {
  for (const std::string& precision : kPrecisions) {
    for (const char* options : {" --threads 1 --workers 0", " --threads 2 --workers 3"}) {
      const TempFolder folder;
      const Outcome outcome = run("ntq-train" + kRun + folder.str() + " --precision " + precision + options);
      REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
      check_same(folder.str(), precision);
    }
  }
  const std::string last = kQuant + "last.bin";
  CHECK(contains(run("ntq-info " + undisturbed("bf16").str() + last).out, "trained in bf16"));
  CHECK(read_file(undisturbed("fp32").str() + last) != read_file(undisturbed("bf16").str() + last));
}

TEST_CASE("killed in both stages and resumed, the run ends with the same bytes") {
  const TempFolder folder;
  const auto exists = [&](const std::string& name) { return fs::exists(folder.str() + name); };
  // Before anything is finished, in the middle of an epoch.
  const pid_t first = start("ntq-train" + kRun + folder.str() + " --save-every 1");
  REQUIRE(wait_until([&] { return exists(kFp + "last.bin"); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  kill(first, SIGKILL);
  CHECK(finish(first) == 128 + SIGKILL);
  CHECK_FALSE(exists(kQuant + "last.bin"));

  // In the second stage, behind its first epoch; resumed by the first stage's folder, with other threads.
  const pid_t second = start("ntq-train --quiet --threads 1 --workers 0 --save-every 3 --resume " + folder.str() + kFp);
  REQUIRE(wait_until([&] { return exists(kQuant + "metrics.jsonl"); }));
  kill(second, SIGKILL);
  CHECK(finish(second) == 128 + SIGKILL);
  CHECK_FALSE(exists(kQuant + "result.json"));

  const Outcome third = run("ntq-train --quiet --output " + folder.str() + " --resume");
  REQUIRE_MESSAGE(third.code == 0, third.err);
  check_same(folder.str());
  CHECK(run("ntq-train --output " + folder.str() + " --resume " + folder.str() + kQuant).code ==
        0);                                                                  // finished already
  CHECK(run("ntq-train --output " + folder.str() + " --resume").code == 4);  // none is left
}

TEST_CASE("SIGINT and SIGTERM finish the step, save and end in 130 and 143") {
  for (const std::string& precision : kPrecisions) {
    const TempFolder folder;
    const pid_t first = start("ntq-train" + kRun + folder.str() + " --precision " + precision);
    REQUIRE(wait_until([&] { return fs::exists(folder.str() + kFp + "last.bin"); }));
    kill(first, SIGTERM);
    CHECK(finish(first) == 143);
    const pid_t second = start("ntq-train --resume " + folder.str() + kQuant);  // the precision is the run's
    REQUIRE(wait_until([&] { return fs::exists(folder.str() + kQuant + "last.bin"); }));
    kill(second, SIGINT);
    CHECK(finish(second) == 130);
    const Outcome third = run("ntq-train --resume " + folder.str() + kQuant);
    REQUIRE_MESSAGE(third.code == 0, third.err);
    check_same(folder.str(), precision);
  }
}

TEST_CASE("a resumed run keeps its recipe") {
  const std::string quant = undisturbed().str() + kQuant;
  const TempFolder folder;
  fs::create_directory(folder / "run");
  fs::copy(quant + "config.json", folder / "run/config.json");
  fs::copy(quant + "last.bin", folder / "run/last.bin");
  const std::string resume = "ntq-train --resume " + folder / "run";
  const Outcome epochs = run(resume + " --epochs 5");
  CHECK(epochs.code == 2);
  CHECK(epochs.err.find("'epochs' is 3 there, found 5") != std::string::npos);
  CHECK(run(resume + " --precision bf16").code == 2);
  CHECK(run(resume + " --init x.bin").code == 2);
  CHECK(run("ntq-train --resume " + folder / "none").code == 4);
  const Outcome file = run(resume + "/config.json");
  CHECK(file.code == 4);
  CHECK_MESSAGE(contains(file.err, "expected a run folder, found a file; name the folder"), file.err);

  const std::string config = read_file(folder / "run/config.json");
  std::string other = config;
  other.replace(other.find("\"epochs\": 3"), 11, "\"epochs\": 4");
  write_file(folder / "run/config.json", other);
  CHECK(run(resume).code == 4);
  write_file(folder / "run/config.json", config);
  fs::resize_file(folder / "run/last.bin", fs::file_size(folder / "run/last.bin") - 1);
  CHECK(run(resume).code == 4);
}
