// --device and --precision: a GPU's code on the emulated device, and modules that cannot be used.
#include <doctest/doctest.h>

#include "apps/json.h"
#include "tests/apps/tools.h"
#include "tests/support/bmp.h"
#include "tests/support/modules.h"
#include "tests/support/text.h"
#include "tests/support/wait.h"

using namespace ntq::test;
using ntq::apps::Json;
namespace fs = std::filesystem;

namespace {

/// A folder in which a test's module has the name of the GPU's.
struct AsCuda {
  explicit AsCuda(const std::string& module) {
    fs::copy_file(std::string(NTQ_TEST_MODULES) + "/ntq_backend_" + module + ".so", folder / "ntq_backend_cuda.so");
  }
  TempFolder folder;
};

}  // namespace

TEST_SUITE_BEGIN("devices");

TEST_CASE("a GPU that cannot be used: one line and code 6 for cuda, one line and the CPU for auto") {
  const TempFolder runs, broken;
  write_file(broken / "ntq_backend_cuda.so", "no library");
  const AsCuda no_device("not_created"), other("wrong_version");
  const std::pair<std::string, const char*> cases[] = {{no_device.folder.str(), "cannot be used"},
                                                       {other.folder.str(), "has interface version"},
                                                       {broken.str(), "cannot be loaded"}};
  for (const auto& one : cases) {
    const char* const why = one.second;
    CAPTURE(why);
    const ModulePath path(one.first);
    CHECK(contains(run("ntq-info --build").out, why));
    const std::string train = "ntq-train" + kTiny + "--dry-run --epochs 1 --output " + runs.str() + " --device ";
    const Outcome refused = run(train + "cuda");
    CHECK(refused.code == 6);
    CHECK(lines_of(refused.err) == 1);
    CHECK(contains(refused.err, why));
    const Outcome automatic = run(train + "auto");
    CHECK(automatic.code == 0);
    const std::string text = automatic.out + automatic.err;
    CHECK(contains(text, "  device     cpu"));
    const auto line = text.find("  no GPU     ");
    REQUIRE(line != std::string::npos);
    CHECK(contains(text.substr(line, text.find('\n', line) - line), why));
  }
}

TEST_CASE("a training on a device keeps its images there, and needs no workers") {
  const ModulePath path;
  const TempFolder runs;
  const std::string train = "ntq-train" + kTiny + "--dry-run --epochs 1 --limit-train 16 --output " + runs.str();
  CHECK(contains(run(train + " --device emulated").out, " images/s, the model takes "));
  CHECK(contains(run(train + " --device cpu").out, " images/s with 1 worker, the model takes "));
}

TEST_CASE("a training in TF32 on a device that is not the CPU, killed and resumed, ends with the same bytes") {
  const ModulePath path;
  const TempFolder whole, killed;
  const std::string train =
      "ntq-train" + kTiny +
      "--bits 4 --epochs 1 --pretrain-epochs 1 --save-every 1 --precision tf32 --device emulated --output ";
  const Outcome outcome = run(train + whole.str());
  REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  const std::string words = outcome.out + outcome.err;
  CHECK(contains(words, "  device     emulated device"));
  CHECK(contains(words, "trained in tf32"));
  CHECK(contains(words, " MB  left "));
  CHECK(contains(words, "  device memory "));
  const pid_t child = start(train + killed.str() + " --quiet");
  const std::string last = "/synthetic-resnet20-w4a4-ntq/last.bin";
  REQUIRE(wait_until([&] { return fs::exists(killed.str() + last); }));
  kill(child, SIGKILL);
  finish(child);
  const Outcome resumed = run("ntq-train --quiet --device emulated --output " + killed.str() + " --resume");
  REQUIRE_MESSAGE(resumed.code == 0, resumed.err);
  CHECK(read_file(killed.str() + last) == read_file(whole.str() + last));
}

TEST_CASE(
    "--precision tf32 is refused where only a CPU would compute: 2 where it was named, 6 where no GPU was found") {
  const AsCuda no_device("not_created");
  const ModulePath path(no_device.folder.str());
  const TempFolder folder;
  const std::string train = "ntq-train" + kTiny + "--precision tf32 --output " + folder / "runs" + " --device ";
  for (const char* device : {"cpu", "cpu:portable", "auto"}) {
    const bool automatic = std::string(device) == "auto";
    const Outcome outcome = run(train + device);
    CHECK(outcome.code == (automatic ? 6 : 2));
    CHECK(lines_of(outcome.err) == 1);
    CHECK(contains(outcome.err, automatic ? "--precision tf32 needs a GPU, and none can be used: device cuda:0 cannot"
                                          : "--precision tf32: the cpu has no such products"));
  }
  CHECK_FALSE(fs::exists(folder / "runs"));
}

TEST_CASE("a wrong variable of a GPU's module is no reason to take the CPU") {
  const AsCuda module("wrong_setting");
  const ModulePath path(module.folder.str());
  for (const char* device : {"cuda", "auto"}) {
    const Outcome outcome = run("ntq-train" + kTiny + "--dry-run --epochs 1 --device " + device);
    CHECK(outcome.code == 6);
    CHECK(lines_of(outcome.err) == 1);
    CHECK(contains(outcome.err, "device cuda:0 cannot be used: SOME_VARIABLE: expected a number, found 'x'"));
  }
}

TEST_CASE("a training that a device has no room for ends with code 6 and what to do") {
  const ModulePath path;
  const TempFolder folder;
  const Outcome outcome = run("ntq-train" + kTiny + "--epochs 1 --device emulated:1 --output " + folder.str());
  CHECK(outcome.code == 6);
  CHECK_MESSAGE(lines_of(outcome.err) == 1, outcome.err);
  CHECK(contains(outcome.err, "emulated:1: out of memory: "));
  CHECK(contains(outcome.err, "; a smaller batch size or recomputed blocks need less"));
}

TEST_CASE("a run that goes on with another device says so") {
  const ModulePath path;
  const TempFolder folder;
  const std::string train = "ntq-train --quiet --output " + folder.str();
  const Outcome stopped = run("ntq-train" + kTiny + "--epochs 1 --device emulated --output " + folder.str(),
                              "NTQ_EMULATED_LOST_AFTER=400 ");
  CHECK(stopped.code == 6);
  const std::string text = read_file(folder / "synthetic-resnet20-fp/device.txt");
  CHECK(contains(text, "emulated device"));
  const Outcome resumed = run(train + " --device cpu --resume");
  CHECK_MESSAGE(resumed.code == 0, resumed.err);
  CHECK(contains(resumed.err, "so far on emulated device, 4 multiprocessors"));
  CHECK(contains(resumed.err, ", from here on on cpu: not the same to the bit"));
  CHECK(read_file(folder / "synthetic-resnet20-fp/device.txt") == "cpu\n");
}

TEST_CASE("a GPU's module without its cuDNN: one line and code 6 for cuda, one line and the CPU for auto") {
  const fs::path module = fs::path(NTQ_BIN_DIR).parent_path() / "lib/ntq/ntq_backend_cuda.so";
  if (!fs::exists(module)) {
    MESSAGE("skipped: the GPU's module is not built here");
    return;
  }
  const TempFolder libraries;
  write_file(libraries / "libcudnn.so.9", "");  // what the loader finds first
  const std::string before =
      "LD_LIBRARY_PATH=" + libraries.str() + " NTQ_BACKEND_PATH=" + module.parent_path().string() + " ";
  const std::string train = "ntq-train" + kTiny + "--dry-run --epochs 1 --device ";
  const Outcome refused = run(train + "cuda", before);
  CHECK(refused.code == 6);
  CHECK(lines_of(refused.err) == 1);
  CHECK(contains(refused.err, "libcudnn.so.9"));
  const Outcome automatic = run(train + "auto", before);
  CHECK(automatic.code == 0);
  CHECK(contains(automatic.out + automatic.err, "libcudnn.so.9"));
  CHECK(contains(run("ntq-info --build", before).out, "libcudnn.so.9"));
}

TEST_CASE("a GPU's module without a driver: one line and code 6 for cuda, one line and the CPU for auto") {
  const fs::path module = fs::path(NTQ_BIN_DIR).parent_path() / "lib/ntq/ntq_backend_cuda.so";
  if (!fs::exists(module)) {
    MESSAGE("skipped: the GPU's module is not built here");
    return;
  }
  if (fs::exists("/proc/driver/nvidia")) {
    MESSAGE("skipped: there is a driver");
    return;
  }
  const ModulePath path(module.parent_path().string());
  const std::string train = "ntq-train" + kTiny + "--dry-run --epochs 1 --device ";
  const Outcome refused = run(train + "cuda"), automatic = run(train + "auto");
  CHECK(refused.code == 6);
  CHECK(lines_of(refused.err) == 1);
  CHECK(contains(refused.err, "there is no NVIDIA driver"));
  CHECK(automatic.code == 0);
  CHECK(contains(automatic.out + automatic.err, "there is no NVIDIA driver"));
}

TEST_CASE("a device that is lost ends a training with code 6 and a whole checkpoint, from which it goes on") {
  const TempFolder whole, lost;
  const std::string train =
      "ntq-train" + kTiny +
      "--bits 4 --method lsq --epochs 1 --pretrain-epochs 0 --save-every 1 --device emulated --output ";
  const std::string last = "/synthetic-resnet20-w4a4-lsq/last.bin";
  const ModulePath path;
  REQUIRE(run(train + whole.str() + " --quiet").code == 0);
  const Outcome ended = run(train + lost.str(), "NTQ_EMULATED_LOST_AFTER=1400 ");
  CHECK(ended.code == 6);
  CHECK(contains(ended.err, "the device is lost to this process"));
  REQUIRE(fs::exists(lost.str() + last));
  CHECK(read_file(lost.str() + last) != read_file(whole.str() + last));
  const Outcome resumed = run("ntq-train --quiet --device emulated --output " + lost.str() + " --resume");
  REQUIRE_MESSAGE(resumed.code == 0, resumed.err);
  CHECK(read_file(lost.str() + last) == read_file(whole.str() + last));
}

TEST_CASE("ntq-info --build: the devices of each module that is found, and why others have none") {
  const ModulePath path;
  const Outcome text = run("ntq-info --build");
  CHECK(contains(text.out, "           emulated:0: emulated device, 4 multiprocessors"));
  CHECK(contains(text.out, "           emulated:1: "));
  CHECK(contains(text.out, "no GPU     device not_created:0 cannot be used: there is no processor 0"));
  CHECK(contains(text.out, "has interface version"));
  const Json json = Json::parse(run("ntq-info --build --json").out);
  CHECK(json["backends"].size() == 3);
  CHECK(json["unusable"].size() >= 2);
}

TEST_CASE("every command that computes takes a device, with the numbers of the CPU") {
  const ModulePath path;
  const TempFolder folder;
  const Outcome trained = run("ntq-train" + kTiny +
                              "--bits 4 --epochs 1 --pretrain-epochs 0 --device cpu --quiet --output " + folder.str());
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const std::string checkpoint = folder / "synthetic-resnet20-w4a4-ntq/last.bin ";
  const auto answer = [&](const std::string& command, const std::string& device) {
    const Outcome outcome = run(command + " --json --device " + device);
    REQUIRE_MESSAGE(outcome.code == 0, command, outcome.err);
    if (device != "cpu") CHECK_MESSAGE(contains(outcome.err, "  device     emulated device"), command);
    return Json::parse(outcome.out);
  };
  const auto near = [](const Json& found, const Json& expected) {
    CHECK(found.get<double>() == doctest::Approx(expected.get<double>()).epsilon(0.02));
  };
  const std::string eval = "ntq-eval " + checkpoint + "--limit-val 8 --logits ";
  const Json cpu = answer(eval + folder / "cpu", "cpu"), emulated = answer(eval + folder / "emulated", "emulated");
  near(emulated["loss"], cpu["loss"]);
  CHECK(emulated["arithmetic"] == "float32 (on emulated:0)");
  CHECK(fs::file_size(folder / "emulated") == fs::file_size(folder / "cpu"));

  for (const std::string analysis : {"histograms", "sharpness --space 1 --where master --rho 1e-3",
                                     "landscape --points 3 --directions 1", "hessian --iterations 1"}) {
    const std::string analyze = "ntq-analyze " + checkpoint + analysis + " --batch-size 4 --limit-val 4";
    CAPTURE(analysis);
    CHECK(answer(analyze, "emulated").size() == answer(analyze, "cpu").size());
  }

  const TempFolder images;
  images.write("a.bmp", bmp_of(Bytes(32 * 32 * 3, 90), 32, 32));
  const std::string predict = "ntq-predict " + checkpoint + images / "a.bmp";
  near(answer(predict, "emulated")["images"][0]["top"][0]["probability"],
       answer(predict, "cpu")["images"][0]["top"][0]["probability"]);

  const Json bench = answer("ntq-bench " + checkpoint + "--batch 2 --threads 1 --rounds 1 --seconds 0", "emulated");
  CHECK(bench["float_device"] == "emulated:0");
  CHECK(bench["rows"][0]["float_images_per_s"] > 0);
}

TEST_CASE("a device that is not there ends every command with 6, integers on one with 2, in one line") {
  const AsCuda no_device("not_created");
  const ModulePath path(no_device.folder.str());
  const TempFolder folder;
  const Outcome trained = run("ntq-train" + kTiny +
                              "--bits 4 --epochs 1 --pretrain-epochs 0 --device cpu --quiet --output " + folder.str());
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const std::string checkpoint = folder / "synthetic-resnet20-w4a4-ntq/last.bin ", packed = folder / "m.ntqi ";
  REQUIRE(run("ntq-export " + checkpoint + packed).code == 0);
  for (const std::string command :
       {"ntq-eval FILE", "ntq-bench FILE", "ntq-predict FILE x.bmp", "ntq-analyze FILE hessian"}) {
    const auto with = [&](const std::string& file) {
      std::string text = command;
      return run(text.replace(text.find("FILE"), 4, file) + " --device cuda");
    };
    const Outcome absent = with(checkpoint), integers = with(packed);
    CHECK_MESSAGE(absent.code == 6, command, absent.err);
    CHECK_MESSAGE(contains(absent.err, "device cuda:0 cannot be used"), command, absent.err);
    CHECK_MESSAGE(lines_of(absent.err) == 1, command, absent.err);
    CHECK_MESSAGE(lines_of(integers.err) == 1, command, integers.err);
    CHECK_MESSAGE(integers.code == (contains(command, "analyze") ? 4 : 2), command, integers.err);
  }
}

TEST_SUITE_END();
