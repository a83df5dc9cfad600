// ntq-train --profile: the table, the trace, and a run that is the same without it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq::test;

TEST_CASE("--profile: a table, a trace that parses, and the same checkpoint") {
  const TempFolder folder;
  const std::string options = kTiny + "--bits 4 --pretrain-epochs 0 --epochs 2 --output ";
  const Outcome plain = run("ntq-train" + options + folder / "plain");
  REQUIRE_MESSAGE(plain.code == 0, plain.err);
  CHECK(contains(plain.out, "at most, all of this process"));
  const Outcome profiled = run("ntq-train" + options + folder / "profiled" + " --profile --json");
  REQUIRE_MESSAGE(profiled.code == 0, profiled.err);
  const std::string name = "/synthetic-resnet20-w4a4-ntq/";
  CHECK(read_file(folder / "plain" + name + "last.bin") == read_file(folder / "profiled" + name + "last.bin"));
  CHECK_FALSE(contains(read_file(folder / "plain" + name + "config.json"), "profile"));
  CHECK(contains(profiled.err, "of limit"));
  CHECK(contains(profiled.err, "conv2d_grad_weight 3x3 16 @32x32"));

  const nlohmann::json summary = nlohmann::json::parse(profiled.out), &profile = summary["profile"];
  CHECK(summary["peak_bytes"] > 10'000'000);
  CHECK(profile["steps"] == 8);
  double training = 0, calls = 0, validation = 0;
  for (const nlohmann::json& row : profile["rows"]) {
    (row["phase"] == "validation" ? validation : training) += row["seconds"].get<double>();
    calls += row["calls"].get<double>();
  }
  CHECK(training > 0);
  CHECK(training <= profile["training_seconds"].get<double>());
  CHECK(validation <= profile["validation_seconds"].get<double>());
  CHECK(profile["limits"]["copy_gb_per_s"] > 0);

  CHECK(summary["files"]["trace.json"] == folder / "profiled" + name + "trace.json");
  const nlohmann::json trace = nlohmann::json::parse(read_file(folder / "profiled" + name + "trace.json"));
  double steps = 0, in_steps = 0, events = 0, micros = 0;
  for (const nlohmann::json& event : trace["traceEvents"]) {
    REQUIRE(event["ph"] == "X");
    REQUIRE(event["dur"] >= 0);
    if (event["cat"] == "step") {
      ++steps, in_steps += event["dur"].get<double>();
    } else {
      ++events;
      if (event["cat"] != "validation") micros += event["dur"].get<double>();
    }
  }
  CHECK(steps == 8);
  CHECK(events == calls);
  CHECK(micros == doctest::Approx(1e6 * training));
  CHECK(micros <= in_steps);
}

TEST_CASE("--profile: a run that is resumed, and what it does not go with") {
  const TempFolder folder;
  const std::string options = kTiny + "--epochs 1 --output " + folder.str();
  REQUIRE(run("ntq-train" + options + " --profile --quiet").code == 0);
  CHECK(run("ntq-train" + options + " --profile --dry-run").code == 2);
  const Outcome again = run("ntq-train --profile --resume " + folder / "synthetic-resnet20-fp");
  CHECK(again.code == 0);
  CHECK(contains(again.out, "finished already"));
}

TEST_CASE("--dry-run tells the memory that the run takes, within a tenth" *
          doctest::test_suite("optimised build only")) {
  const TempFolder folder;
  for (const char* bits : {"4", "32"}) {
    CAPTURE(bits);
    const std::string train = std::string("ntq-train synthetic resnet20 --bits ") + bits +
                              " --pretrain-epochs 0 --epochs 1 --batch-size 64 --limit-train 256 --limit-val 64"
                              " --threads 1 --workers 0 --json --output " +
                              folder.str();
    const auto told = nlohmann::json::parse(run(train + " --dry-run").out)["stages"][0]["memory_bytes"].get<double>();
    const auto taken = nlohmann::json::parse(run(train).out)["peak_bytes"].get<double>();
    CHECK(told / taken == doctest::Approx(1).epsilon(0.1));
  }
}
