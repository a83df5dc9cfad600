// ntq-analyze as a user runs it.
#include <doctest/doctest.h>

#include "apps/json.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq::test;
using ntq::apps::Json;

namespace {

/// A 4-bit NTQ run of a few steps and its full-precision start.
struct AnalyzedRuns {
  TempFolder folder;
  std::string quantized = folder / "synthetic-resnet20-w4a4-ntq/last.bin",
              floats = folder / "synthetic-resnet20-fp/last.bin";
  AnalyzedRuns() {
    const Outcome trained = run("ntq-train" + kTiny + "--bits 4 --epochs 1 --no-start-eval --output " + folder.str());
    REQUIRE_MESSAGE(trained.code == 0, trained.err);
  }
};

const AnalyzedRuns& analyzed_runs() {
  static const AnalyzedRuns runs;
  return runs;
}

const std::string kFew = " --limit-val 8 --batch-size 4 --json ";

Json analyzed(const std::string& arguments, const std::string& checkpoint = analyzed_runs().quantized) {
  const Outcome outcome = run("ntq-analyze " + checkpoint + " " + arguments + " --json");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  CHECK(lines_of(outcome.out) == 1);
  return Json::parse(outcome.out);
}

}  // namespace

TEST_CASE("ntq-analyze sharpness: a row for each where, space, draw and radius") {
  const Json json = analyzed("sharpness --limit-val 4 --space 10,full --draws 2 --rho 1e-4,1e-5 --average 1e-3");
  CHECK(json["images"] == 4);
  REQUIRE(json["rows"].size() == 2 * (2 * 2 + 2));
  for (const Json& row : json["rows"]) {
    CHECK(row["rise"] >= 0);
    CHECK(row["sharpness"].get<double>() ==
          doctest::Approx(100 * row["rise"].get<double>() / (1 + row["loss"].get<double>())));
  }
  CHECK(json["rows"][0]["where"] == "master");
  CHECK(json["rows"][11]["where"] == "effective");
  CHECK(json["rows"][0]["loss"] == doctest::Approx(json["rows"][11]["loss"].get<double>()).epsilon(1e-5));
  CHECK(json["average"].size() == 2);
}

TEST_CASE("ntq-analyze: the same answer for one thread and two, another for another seed") {
  const std::string hessian = "ntq-analyze " + analyzed_runs().quantized + " hessian --iterations 2" + kFew;
  const Outcome one = run(hessian + "--threads 1"), two = run(hessian + "--threads 2 --workers 0");
  REQUIRE_MESSAGE(one.code == 0, one.err);
  CHECK(one.out == two.out);
  CHECK(one.out != run(hessian + "--seed 1").out);
  CHECK(contains(one.err, "straight-through"));
}

TEST_CASE("ntq-analyze landscape: lines, and a plane") {
  const Json lines = analyzed("landscape --limit-val 4 --directions 2 --points 3");
  REQUIRE(lines["rows"].size() == 1);
  CHECK(lines["rows"][0]["a"] == Json({-1.0, 0.0, 1.0}));
  CHECK(lines["rows"][0]["loss"].size() == 2);
  CHECK(lines["rows"][0]["loss"][0][1] == lines["rows"][0]["loss"][1][1]);
  const Json plane = analyzed("landscape --limit-val 4 --plane --points 3 --where effective --split train");
  CHECK(plane["rows"][0]["loss"].size() == 3);
  CHECK(plane["split"] == "training");
  CHECK(plane["images"] == 4);
}

TEST_CASE("ntq-analyze sensitivity, histograms and noise: a row for each layer") {
  const Json sensitivity = analyzed("sensitivity --limit-val 4 --batch-size 4");
  CHECK(sensitivity["layers"].size() == 20);
  CHECK(sensitivity["bops"].get<double>() == doctest::Approx(16 * sensitivity["macs"].get<double>()));
  const Json histograms = analyzed("histograms --limit-val 4");
  REQUIRE(histograms["layers"].size() == 20);
  CHECK(histograms["layers"][0]["counts"].size() == 128);
  CHECK(histograms["layers"][0]["levels"].size() == 16);
  CHECK(histograms["layers"][5]["output_sqnr"] > 0);
  const Json noise = analyzed("noise --steps 2 --batch-size 4 --momentum 0.5");
  REQUIRE(noise["layers"].size() == 20);
  CHECK(noise["predicted"] == doctest::Approx(4.0 / 3));
  CHECK(noise["all"]["gradient"] > 0);
  CHECK(noise["all"]["factor"] > 0.5);
  CHECK(noise["all"]["factor"] < 3);

  const Outcome table = run("ntq-analyze " + analyzed_runs().quantized + " histograms --limit-val 4");
  CHECK(contains(table.out, "layer3.2.conv2"));
  CHECK(contains(table.out, "█"));
  CHECK_FALSE(contains(table.out, "\r"));
}

TEST_CASE("ntq-analyze: full precision has no effective row and no layers to switch") {
  const Json json = analyzed("sharpness --limit-val 4 --space full --rho 1e-4", analyzed_runs().floats);
  CHECK(json["rows"].size() == 1);
  CHECK(analyzed("histograms --limit-val 4", analyzed_runs().floats)["layers"][0].count("sqnr") == 0);
}

TEST_CASE("ntq-analyze: bad input is one line and an exit code, and no file is touched") {
  const TempFolder at;
  const std::string good = analyzed_runs().quantized, bytes = read_file(good);
  REQUIRE(run("ntq-export " + good + " " + at / "net.ntqi").code == 0);
  write_file(at / "cut.bin", bytes.substr(0, bytes.size() / 2));
  const std::vector<std::pair<std::string, int>> cases = {
      {"", 2},
      {good, 2},
      {good + " sharpnes", 2},
      {good + " sharpness landscape", 2},
      {good + " sharpness --rho 0", 2},
      {good + " sharpness --rho -1e-3", 2},
      {good + " sharpness --rho 1e-3,", 2},
      {good + " sharpness --rho nan", 2},
      {good + " sharpness --space half", 2},
      {good + " sharpness --space 0", 2},
      {good + " sharpness --box round", 2},
      {good + " sharpness --where both", 2},
      {good + " sharpness --average 0", 2},
      {good + " sharpness --draws 0", 2},
      {good + " sharpness --split test", 2},
      {good + " sharpness --limit-val 0", 2},
      {good + " hessian --rho 1e-3", 2},
      {good + " hessian --tolerance 0", 2},
      {good + " landscape --points 4", 2},
      {good + " noise --momentum 1", 2},
      {good + " noise --limit-val 4", 2},
      {good + " sharpness --data-dir " + at / "none" + " --dataset cifar10", 3},
      {at / "none.bin" + " sharpness", 4},
      {at / "cut.bin" + " sharpness", 4},
      {at / "net.ntqi" + " sharpness", 4},
      {analyzed_runs().floats + " sensitivity", 4},
      {analyzed_runs().floats + " noise", 4},
  };
  for (const auto& one : cases) {
    const std::string& arguments = one.first;
    const Outcome outcome = run("ntq-analyze " + arguments);
    CAPTURE(outcome.err);
    CHECK_MESSAGE(outcome.code == one.second, arguments);
    CHECK_MESSAGE(lines_of(outcome.err) == 1, arguments);
    CHECK_MESSAGE(outcome.out.empty(), arguments);
  }
  CHECK(contains(run("ntq-analyze " + good + " sharpnes").err, "did you mean sharpness?"));
  CHECK(read_file(good) == bytes);
}

TEST_CASE("ntq-analyze: Ctrl-C ends at once, help fits on a screen") {
  const pid_t child = start("ntq-analyze " + analyzed_runs().quantized + " landscape --directions 1000");
  usleep(300'000);
  kill(child, SIGINT);
  CHECK(finish(child) == 130);
  const Outcome help = run("ntq-analyze --help");
  CHECK(help.code == 0);
  CHECK(lines_of(help.out) < 80);
}
