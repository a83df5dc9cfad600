// stdout, stderr and stdin: full, closed, or with nobody at the other end.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/tools.h"
#include "tests/support/bmp.h"
#include "tests/support/text.h"

using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

const std::string kBin = NTQ_BIN_DIR "/";

/// The exit code of a line of shell.
int shell(const std::string& line) {
  const int status = std::system(line.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a full disk behind stdout is exit code 4 for every command and answer") {
  const TempFolder folder;
  const std::string run_path = folder / "synthetic-resnet20-fp";
  const std::string full = " >/dev/full 2>" + folder / "err";
  // The training goes on to its end.
  CHECK(shell(kBin + "ntq-train" + kTiny + "--epochs 1 --output " + folder.str() + full) == 4);
  CHECK(contains(read_file(folder / "err"), "cannot write to stdout: No space left on device"));
  CHECK(fs::exists(run_path + "/result.json"));
  CHECK(contains(read_file(run_path + "/log.txt"), "Best top-1"));
  const std::string file = run_path + "/last.bin";
  for (const std::string command :
       {"ntq-train --help", "ntq-train --version", "ntq-train synthetic resnet20 --print-config", "ntq-eval --help",
        "ntq-info --version", "ntq-export --help", "ntq-info --build", "ntq-info --build --json"}) {
    CHECK_MESSAGE(shell(kBin + command + full) == 4, command);
    CHECK_MESSAGE(contains(read_file(folder / "err"), "error: cannot write to stdout"), command);
  }
  CHECK(shell(kBin + "ntq-train" + kTiny + "--dry-run --quiet --json" + full) == 4);
  CHECK(shell(kBin + "ntq-eval --limit-val 16 " + file + full) == 4);
  CHECK(shell(kBin + "ntq-eval --limit-val 16 --json " + file + full) == 4);
  CHECK(shell(kBin + "ntq-info " + file + full) == 4);
  CHECK(shell(kBin + "ntq-export " + file + " " + folder / "out" + full) == 4);
  folder.write("image.bmp", bmp_of(Bytes(32 * 32 * 3, 7), 32, 32));
  CHECK(shell(kBin + "ntq-predict " + file + " " + folder / "image.bmp" + full) == 4);
  CHECK(contains(read_file(folder / "err"), "cannot write to stdout: No space left on device"));
  // What is said in vain on stderr counts as well; a failure keeps its own code.
  CHECK(shell(kBin + "ntq-info none.bin >/dev/full 2>/dev/full") == 4);
  CHECK(shell(kBin + "ntq-info --nothing >/dev/full 2>/dev/full") == 2);
}

TEST_CASE("closed streams do not end up in the files of a run, and are no failure") {
  const TempFolder folder;
  CHECK(shell(kBin + "ntq-train" + kTiny + "--epochs 1 --output " + folder.str() + " <&- >&- 2>&-") == 0);
  const std::string log = read_file(folder / "synthetic-resnet20-fp/log.txt");
  CHECK(log.find("ntq-train ") == 0);
  CHECK(log.find("ntq-train ", 1) == std::string::npos);  // the title is there once
  CHECK(shell(kBin + "ntq-info " + folder / "synthetic-resnet20-fp/last.bin" + " >&-") == 0);
}

TEST_CASE("a reader that goes away ends no training") {
  const TempFolder folder;
  const std::string line = "bash -c '" + kBin + "ntq-train" + kTiny + "--epochs 2 --output " + folder.str() +
                           " | head -1 >/dev/null; exit ${PIPESTATUS[0]}'";
  CHECK(shell(line) == 0);
  CHECK(fs::exists(folder / "synthetic-resnet20-fp/result.json"));
  const std::string log = read_file(folder / "synthetic-resnet20-fp/log.txt");
  CHECK(contains(log, "epoch 2/2"));
  const size_t said = log.find("nobody reads stdout any more");
  CHECK(said != std::string::npos);
  CHECK(log.find("nobody reads", said + 1) == std::string::npos);
}

TEST_CASE("a log that cannot be written: the training is complete, and exit code 4 says so") {
  const TempFolder folder;
  const std::string train = "ntq-train" + kTiny + "--quiet --output " + folder.str();
  REQUIRE(run(train + " --epochs 1").code == 0);
  const std::string path = folder / "synthetic-resnet20-fp";
  fs::remove(path + "/result.json");
  fs::remove(path + "/log.txt");
  fs::create_symlink("/dev/full", path + "/log.txt");
  const Outcome outcome = run("ntq-train --resume " + path + " --json");
  CHECK(outcome.code == 4);
  CHECK(contains(outcome.err, "warning: " + path + "/log.txt: No space left on device"));
  CHECK(contains(outcome.err, "the training is complete, its log is not"));
  CHECK(lines_of(outcome.out) == 1);
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["exit_code"] == 4);
  CHECK(json["best_epoch"] == 1);
  CHECK(fs::exists(path + "/result.json"));
}

TEST_CASE("--json answers carry the exit code in success, too") {
  const Outcome outcome = run("ntq-info --build --json");
  CHECK(nlohmann::json::parse(outcome.out)["exit_code"] == 0);
}
