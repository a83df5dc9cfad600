// The commands as a user runs them: files, answers, exit codes.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "apps/json.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq::test;
using ntq::apps::Json;
namespace fs = std::filesystem;

TEST_CASE("a two-stage run writes all its files, and the next one reuses its first stage") {
  const TempFolder folder;
  const std::string options = kTiny + "--bits 4 --epochs 1 --output " + folder.str();
  const Outcome first = run("ntq-train" + options + " --json");
  REQUIRE_MESSAGE(first.code == 0, first.err);
  CHECK(lines_of(first.out) == 1);
  const Json json = Json::parse(first.out);
  CHECK(json["weight_bits"] == 4);
  CHECK(json["pretrain_run"] == "synthetic-resnet20-fp");
  CHECK(json["last"]["epoch"] == 1);
  const std::string path = folder / "synthetic-resnet20-w4a4-ntq/";
  for (const char* name : {"config.json", "metrics.csv", "metrics.jsonl", "layers.csv", "last.bin", "best.bin",
                           "log.txt", "result.json"}) {
    CHECK_MESSAGE(fs::exists(path + name), name);
  }
  CHECK(contains(first.err, "2 stages, about"));
  CHECK(contains(read_file(path + "log.txt"), "bits       20 layers: weights 4, inputs 4 bits (ntq)"));
  CHECK_FALSE(contains(first.err, "\r"));

  const Outcome second = run("ntq-train" + options);
  REQUIRE_MESSAGE(second.code == 0, second.err);
  CHECK(contains(second.out, "already there, " + folder / "synthetic-resnet20-fp"));
  CHECK_FALSE(fs::exists(folder / "synthetic-resnet20-fp-2"));
  CHECK(read_file(path + "last.bin") == read_file(folder / "synthetic-resnet20-w4a4-ntq-2/last.bin"));

  const Outcome eval = run("ntq-eval " + path + "last.bin --limit-val 16 --json");
  REQUIRE_MESSAGE(eval.code == 0, eval.err);
  CHECK(Json::parse(eval.out)["top1"].get<double>() == doctest::Approx(json["last"]["val_top1"].get<double>()));
  CHECK(Json::parse(eval.out)["layers"].size() == 20);
  CHECK(contains(eval.err, "layer1.0.conv1"));
  CHECK(run("ntq-eval " + path + "last.bin --ema").code == 4);

  const Outcome info = run("ntq-info " + path + "last.bin");
  CHECK(info.code == 0);
  CHECK(contains(info.out, "weights 4, activations 4 bits (ntq)"));
  const Json report = Json::parse(run("ntq-info --json " + path + "last.bin").out);
  CHECK(report["layers"].size() == 20);
  CHECK(json["deployed_bytes"] == report["bytes"]["deployed"]);
  CHECK(contains(second.out, " kB with the weights at their bits"));
}

TEST_CASE("--dry-run and --print-config write nothing") {
  const TempFolder folder;
  const std::string options = kTiny + "--bits 2 --output " + folder / "runs";
  const Outcome dry = run("ntq-train" + options + " --dry-run --json");
  REQUIRE_MESSAGE(dry.code == 0, dry.err);
  CHECK(Json::parse(dry.out)["stages"].size() == 2);
  CHECK(Json::parse(dry.out)["stages"][1]["memory_bytes"] > 0);
  const Outcome print = run("ntq-train" + options + " --print-config");
  CHECK(print.code == 0);
  CHECK(Json::parse(print.out)["weight_bits"] == 2);
  CHECK_FALSE(fs::exists(folder / "runs"));
}

TEST_CASE("help, version and build answers") {
  for (const char* command :
       {"ntq-train", "ntq-eval", "ntq-info", "ntq-export", "ntq-predict", "ntq-bench", "ntq-analyze"}) {
    CHECK(run(std::string(command) + " --help").code == 0);
    CHECK(contains(run(std::string(command) + " --version").out, std::string(command) + " 0."));
  }
  CHECK(contains(run("ntq-info --build").out, "backends   cpu"));
}

TEST_CASE("usage errors: exit code 2, one line") {
  const TempFolder folder;
  for (const std::string arguments :
       {"ntq-train", "ntq-train synthetic resnet20 --bitz 4", "ntq-train synthetic resnet20 --bits 9",
        "ntq-train synthetic resnet20 --batch-size 4000", "ntq-train synthetic resnet20 --config none.json", "ntq-eval",
        "ntq-info", "ntq-info --nothing"}) {
    const Outcome outcome = run(arguments + (contains(arguments, "ntq-train") ? " --output " + folder / "runs" : ""));
    CHECK_MESSAGE(outcome.code == 2, arguments, outcome.err);
    CHECK_MESSAGE(lines_of(outcome.err) == 1, outcome.err);
    CHECK(outcome.out.empty());
  }
  CHECK_FALSE(fs::exists(folder / "runs"));
  const Outcome json = run("ntq-train synthetic resnet20 --bits 9 --json");
  CHECK(Json::parse(json.out)["exit_code"] == 2);
}

TEST_CASE("missing data end in 3, devices that are not there in 6, and leave no run folder") {
  const TempFolder folder;
  const std::string where = " --output " + folder / "runs" + " --data-dir " + folder / "none";
  CHECK(run("ntq-train cifar10 resnet20" + where).code == 3);
  CHECK(run("ntq-train synthetic resnet20 --device cuda" + where).code == 6);
  setenv("NTQ_CPU_ISA", "none", 1);
  CHECK(run("ntq-info --build").code == 6);
  unsetenv("NTQ_CPU_ISA");
  CHECK_FALSE(fs::exists(folder / "runs"));
}

TEST_CASE("damaged checkpoints end in 4") {
  const TempFolder folder;
  REQUIRE(run("ntq-train" + kTiny + "--epochs 1 --quiet --output " + folder.str()).code == 0);
  const std::string good = folder / "synthetic-resnet20-fp/last.bin", bad = folder / "bad.bin";
  const std::string bytes = read_file(good);
  const auto refused = [&](const std::string& text) {
    write_file(bad, text);
    const Outcome eval = run("ntq-eval " + bad), info = run("ntq-info " + bad);
    CHECK_MESSAGE(eval.code == 4, eval.err);
    CHECK_MESSAGE(lines_of(eval.err) == 1, eval.err);
    CHECK(info.code == 4);
  };
  refused("");
  refused(bytes.substr(0, 7));
  refused(bytes.substr(0, bytes.size() / 2));
  refused(bytes.substr(0, bytes.size() - 1));
  for (const size_t at : {size_t{3}, size_t{40}, bytes.size() / 2, bytes.size() - 1}) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    refused(flipped);
  }
  CHECK(run("ntq-eval " + folder / "none.bin").code == 4);
  CHECK(run("ntq-eval " + good + " --dataset fashion-mnist").code != 0);
  const std::string init = " --epochs 1 --quiet --bits 4 --output " + folder.str() + " --init ";
  CHECK(run("ntq-train" + kTiny + init + bad).code == 4);
  CHECK(run("ntq-train synthetic wrn16-4 --limit-train 64 --batch-size 16" + init + good).code == 4);
  CHECK_FALSE(fs::exists(folder / "synthetic-resnet20-w4a4-ntq"));
}

TEST_CASE("a folder that cannot be written to ends in 4") {
  const TempFolder folder;
  write_file(folder / "file", "");
  CHECK(run("ntq-train" + kTiny + "--epochs 1 --output " + folder / "file").code == 4);
  // Root may write anywhere, unless the right to is taken from it.
  const std::string obey = geteuid() == 0 ? "setpriv --bounding-set=-dac_override,-dac_read_search " : "";
  if (!obey.empty() && std::system((obey + "true 2>/dev/null").c_str()) != 0) {
    MESSAGE("not run: root cannot give up its rights here (setpriv)");
    return;
  }
  const std::string run_folder = folder / "written/synthetic-resnet20-fp";
  REQUIRE(run("ntq-train" + kTiny + "--epochs 1 --quiet --output " + folder / "written").code == 0);
  chmod(folder.str().c_str(), 0555);
  chmod(run_folder.c_str(), 0555);
  const Outcome made = run("ntq-train" + kTiny + "--epochs 1 --output " + folder / "runs", obey);
  CHECK_MESSAGE(made.code == 4, made.err);
  CHECK(contains(made.err, "ermission denied"));
  const Outcome exported = run("ntq-export " + run_folder + "/last.bin " + folder / "out.safetensors", obey);
  CHECK_MESSAGE(exported.code == 4, exported.err);
  chmod(run_folder.c_str(), 0755);
  chmod(folder.str().c_str(), 0755);
}

TEST_CASE("a loss that is not a number ends in 5 and keeps the last good checkpoint") {
  const TempFolder folder;
  const Outcome outcome = run("ntq-train" + kTiny + "--epochs 3 --lr 1000 --weight-decay 1e6 --output " + folder.str());
  CHECK_MESSAGE(outcome.code == 5, outcome.out, outcome.err);
  CHECK_MESSAGE(contains(outcome.err, "epoch 1, step 2: the loss is not a number; first: "), outcome.err);
  CHECK(contains(outcome.err, "last.bin"));
  CHECK(contains(read_file(folder / "synthetic-resnet20-fp/log.txt"), "stopped: epoch 1, step "));
  CHECK(run("ntq-info " + folder / "synthetic-resnet20-fp/last.bin").code == 0);
}

TEST_CASE("a full disk ends in 4, with the file named and nothing torn left behind") {
  const TempFolder folder;
  // No file may grow beyond 100 kB; the signal for it is ignored, so that writing fails as on a full disk.
  const std::string limits = "trap '' XFSZ; ulimit -f 200; ";
  const Outcome outcome = run("ntq-train" + kTiny + "--epochs 1 --output " + folder.str(), limits);
  CHECK_MESSAGE(outcome.code == 4, outcome.err);
  CHECK(contains(outcome.err, "synthetic-resnet20-fp/last.bin"));
  for (const auto& file : fs::directory_iterator(folder / "synthetic-resnet20-fp")) {
    CHECK_MESSAGE(!contains(file.path().filename().string(), "last.bin"), file.path().string());
  }
  // The run starts over once there is room.
  CHECK(run("ntq-train --quiet --resume --output " + folder.str()).code == 0);
}

TEST_CASE("what cannot be printed is no success") {
  CHECK(std::system(NTQ_BIN_DIR "/ntq-info --build >/dev/full 2>/dev/null") == 4 << 8);
}
