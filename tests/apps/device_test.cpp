// --device: a GPU's code on the emulated device, and modules that cannot be used.
#include <doctest/doctest.h>

#include "tests/apps/tools.h"
#include "tests/support/modules.h"
#include "tests/support/text.h"

using namespace ntq::test;
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

TEST_CASE("a training on a device that is not the CPU, killed and resumed, ends with the same bytes") {
  const ModulePath path;
  const TempFolder whole, killed;
  const std::string train =
      "ntq-train" + kTiny + "--bits 4 --epochs 1 --pretrain-epochs 1 --save-every 1 --device emulated --output ";
  const Outcome outcome = run(train + whole.str());
  REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  CHECK(contains(outcome.out + outcome.err, "  device     emulated device"));
  const pid_t child = start(train + killed.str() + " --quiet");
  const std::string last = "/synthetic-resnet20-w4a4-ntq/last.bin";
  for (int wait = 0; wait < 20000 && !fs::exists(killed.str() + last); ++wait) usleep(1000);
  kill(child, SIGKILL);
  finish(child);
  const Outcome resumed = run("ntq-train --quiet --device emulated --output " + killed.str() + " --resume");
  REQUIRE_MESSAGE(resumed.code == 0, resumed.err);
  CHECK(read_file(killed.str() + last) == read_file(whole.str() + last));
}
