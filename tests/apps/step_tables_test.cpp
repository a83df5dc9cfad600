// steps.csv and layers.csv of a run.
#include <doctest/doctest.h>

#include <sstream>
#include <vector>

#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::vector<std::string>> cells_of(const std::string& csv) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(csv);
  for (std::string line; std::getline(lines, line);) {
    auto& row = rows.emplace_back();
    std::istringstream cells(line + ",");
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
  }
  return rows;
}

const std::string kTwoEpochs = kTiny + "--epochs 2 --pretrain-epochs 0 --stats-every 3 --quiet --output ";

}  // namespace

TEST_CASE("steps.csv has a row every N steps of the run, layers.csv one for each layer and epoch") {
  const TempFolder folder;
  const Outcome trained = run("ntq-train" + kTwoEpochs + folder.str() + " --bits 4 --bits-of fc=fp");
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const std::string mixed = folder / "synthetic-resnet20-w4a4-mixed-ntq";
  const auto steps = cells_of(read_file(mixed + "/steps.csv")), layers = cells_of(read_file(mixed + "/layers.csv"));
  REQUIRE(steps.size() == 3);
  CHECK(steps[0] == std::vector<std::string>{"step", "epoch", "loss", "lr", "mean_step", "mean_error",
                                             "mean_max_weight", "oscillating", "clipped"});
  CHECK(steps[1][0] == "3");
  CHECK(steps[1][1] == "1");
  CHECK(steps[2][0] == "6");
  CHECK(steps[2][1] == "2");
  for (const std::string& cell : steps[2]) CHECK_FALSE(cell.empty());
  REQUIRE(layers.size() == 1 + 2 * 20);
  CHECK(layers[0] ==
        std::vector<std::string>{"epoch", "layer", "bits", "step", "error", "max_weight", "oscillating", "clipped"});
  CHECK(layers[1][1] == "conv1");
  CHECK(layers[1][2] == "4");
  CHECK(layers[20][1] == "fc");
  CHECK(layers[20][2] == "32");
  CHECK(layers[20][3].empty());
  CHECK_FALSE(layers[20][5].empty());
  CHECK(layers[21][0] == "2");
}

TEST_CASE("in full precision steps.csv has loss, rate and range; --stats-every 0 writes neither table") {
  const TempFolder folder;
  REQUIRE(run("ntq-train" + kTwoEpochs + folder.str()).code == 0);
  const auto steps = cells_of(read_file(folder / "synthetic-resnet20-fp/steps.csv"));
  REQUIRE(steps.size() == 3);
  CHECK_FALSE(steps[1][2].empty());
  for (const size_t column : {4, 5, 7, 8}) CHECK(steps[1][column].empty());
  CHECK_FALSE(steps[1][6].empty());
  REQUIRE(run("ntq-train" + kTwoEpochs + folder.str() + " --stats-every 0").code == 0);
  CHECK_FALSE(fs::exists(folder / "synthetic-resnet20-fp-2/steps.csv"));
  CHECK_FALSE(fs::exists(folder / "synthetic-resnet20-fp-2/layers.csv"));
  CHECK(read_file(folder / "synthetic-resnet20-fp-2/metrics.csv").substr(0, 6) == "epoch,");
  // The tables of a run change nothing but its checkpoints' statistics, which full precision has none of.
  CHECK(read_file(folder / "synthetic-resnet20-fp-2/last.bin") == read_file(folder / "synthetic-resnet20-fp/last.bin"));
}

TEST_CASE("a steps.csv that is somebody else's stops a resume and stays") {
  const TempFolder folder;
  REQUIRE(run("ntq-train" + kTwoEpochs + folder.str()).code == 0);
  const std::string run_folder = folder / "synthetic-resnet20-fp";
  fs::remove(run_folder + "/result.json");
  write_file(run_folder + "/steps.csv", "my notes\n");
  const Outcome refused = run("ntq-train --quiet --resume " + run_folder);
  CHECK(refused.code == 4);
  CHECK(contains(refused.err, "steps.csv: expected a table of ntq-train"));
  CHECK(read_file(run_folder + "/steps.csv") == "my notes\n");
  CHECK(run("ntq-train --quiet --stats-every 0 --resume " + run_folder).code == 0);
  CHECK(read_file(run_folder + "/steps.csv") == "my notes\n");
}
