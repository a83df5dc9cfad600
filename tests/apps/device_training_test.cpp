// Trainings of ResNet-20 at 4 bits on the emulated device, by the GPU backend's own code, beside the CPU's. Low-bit
// trainings part after a few steps even between float32 and float64, so they are compared by where they end.
#include <doctest/doctest.h>

#include <cmath>

#include "apps/json.h"
#include "tests/apps/tools.h"
#include "tests/support/modules.h"
#include "tests/support/text.h"

using namespace ntq::test;
using ntq::apps::Json;

namespace {

const std::string kImages =
    " synthetic resnet20 --limit-train 256 --limit-val 256 --batch-size 32 --threads 1 --quiet ";

struct Accuracies {
  double train, val;  ///< percent
};

/// Of the last epoch.
Accuracies accuracies(const std::string& run_folder) {
  const Json last = Json::parse(read_file(run_folder + "/result.json"))["last"];
  return {last["train_top1"].get<double>(), last["val_top1"].get<double>()};
}

}  // namespace

TEST_SUITE_BEGIN("devices: optimised build only");

TEST_CASE("256 images at 4 bits, stopped and resumed on a device: its own bytes, and where the CPU ends") {
  const ModulePath path;
  const TempFolder runs;
  const std::string folder = runs.str();
  REQUIRE(run("ntq-train" + kImages + "--epochs 3 --device cpu --output " + folder + "/start").code == 0);
  for (const std::string method : {"ntq", "lsq"}) {
    CAPTURE(method);
    const std::string name = "/synthetic-resnet20-w4a4-" + method;
    const std::string train = "ntq-train" + kImages + "--init " + folder + "/start/synthetic-resnet20-fp/last.bin " +
                              "--bits 4 --method " + method + " --epochs 1 --lr 0.02 --save-every 2 --output " + folder;
    for (const std::string device : {"cpu", "emulated"})
      REQUIRE(run(train + "/" + device + " --device " + device).code == 0);
    const std::string whole = folder + "/emulated" + name + "/last.bin", parts = folder + "/parts" + name + "/last.bin";
    CHECK(run(train + "/parts --device emulated", "NTQ_EMULATED_LOST_AFTER=3000 ").code == 6);
    REQUIRE(std::filesystem::exists(parts));  // of step 4 or 6
    CHECK(read_file(parts) != read_file(whole));
    const Outcome resumed = run("ntq-train --quiet --device emulated --output " + folder + "/parts --resume");
    REQUIRE_MESSAGE(resumed.code == 0, resumed.err);
    CHECK(read_file(parts) == read_file(whole));

    const Accuracies cpu = accuracies(folder + "/cpu" + name), device = accuracies(folder + "/emulated" + name);
    CHECK(cpu.val > 90);
    CHECK(std::fabs(device.val - cpu.val) < 4);
    CHECK(std::fabs(device.train - cpu.train) < 4);
  }
}

TEST_SUITE_END();
