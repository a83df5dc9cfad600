// ntq-report as a user runs it, and the page that a training leaves.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq::test;

TEST_CASE("a training leaves its page, and the command makes the same one") {
  const TempFolder folder;
  const Outcome fresh = run("ntq-train" + kTiny + "--epochs 1 --output " + folder.str());
  REQUIRE(fresh.code == 0);
  const std::string path = folder / "synthetic-resnet20-fp", page = read_file(path + "/report.html");
  CHECK(contains(fresh.out, path + "/report.html"));
  CHECK(contains(page, "Top-1 "));
  CHECK(contains(page, "conv1"));
  const Outcome again = run("ntq-report " + path);
  CHECK(again.code == 0);
  CHECK(contains(again.out, path + "/report.html, "));
  CHECK(read_file(path + "/report.html") == page);
  const Outcome elsewhere = run("ntq-report " + path + "/last.bin -o " + (folder / "x.html") + " --json");
  CHECK(nlohmann::json::parse(elsewhere.out)["report"] == folder / "x.html");
  CHECK(contains(read_file(folder / "x.html"), "<h1>synthetic-resnet20-fp, last.bin</h1>"));
  const Outcome events = run("ntq-report " + path + " --tensorboard " + (folder / "tb"));
  CHECK(events.code == 0);
  CHECK(contains(read_file(folder / "tb/synthetic-resnet20-fp/events.out.tfevents.0.ntq"), "epochs/val_top1"));
}

TEST_CASE("an analysis of another checkpoint is left out of a page, and the page says so") {
  const TempFolder folder;
  REQUIRE(run("ntq-train" + kTiny + "--bits 4 --epochs 1 --pretrain-epochs 0 --output " + folder.str()).code == 0);
  const std::string path = folder / "synthetic-resnet20-w4a4-ntq", kept = path + "/histograms.json";
  const Outcome analyzed = run("ntq-analyze " + path + "/last.bin histograms --limit-val 16 --json");
  REQUIRE_MESSAGE(analyzed.code == 0, analyzed.err);
  auto json = nlohmann::json::parse(analyzed.out);
  CHECK(json["epoch"] == 1);
  CHECK(json["crc32"].get<std::string>().size() == 8);
  const auto page_with = [&](const nlohmann::json& analysis) {
    write_file(kept, analysis.dump());
    REQUIRE(run("ntq-report " + path).code == 0);
    return read_file(path + "/report.html");
  };
  const std::string own = page_with(json);
  CHECK(contains(own, "SQNR out: of " + path + "/last.bin, epoch 1, 16 validation images."));
  CHECK_FALSE(contains(own, "of another checkpoint"));
  json["checkpoint"] = "x/best.bin", json["epoch"] = 3, json["crc32"] = "0123abcd";
  const std::string other = page_with(json);
  CHECK(contains(other,
                 "histograms.json is of another checkpoint (best.bin, epoch 3): left out; in this folder, "
                 "ntq-analyze last.bin histograms --json &gt; histograms.json makes it anew."));
  CHECK_FALSE(contains(other, "SQNR out"));
  json.erase("crc32");
  CHECK(contains(page_with(json), "SQNR out: of x/best.bin"));
}

TEST_CASE("each seed of a sweep has event files of its own") {
  const TempFolder folder;
  const Outcome swept = run("ntq-sweep s" + kTiny + "--epochs 1 --seed 0,1 --output " + folder.str());
  REQUIRE_MESSAGE(swept.code == 0, swept.err);
  const Outcome made = run("ntq-report " + (folder / "s") + " --tensorboard " + (folder / "tb") + " --json");
  REQUIRE_MESSAGE(made.code == 0, made.err);
  const auto events = nlohmann::json::parse(made.out)["events"];
  REQUIRE(events.size() == 2);
  CHECK(contains(events[0].get<std::string>(), "/synthetic-resnet20-fp-seed0-"));
  CHECK(contains(events[1].get<std::string>(), "/synthetic-resnet20-fp-seed1-"));
  CHECK(read_file(events[0].get<std::string>()) != read_file(events[1].get<std::string>()));
}

TEST_CASE("what is no run is refused in one line") {
  const TempFolder folder;
  write_file(folder / "notes.bin", "hello");
  std::filesystem::create_directories(folder / "broken");
  write_file(folder / "broken/config.json", "{");
  const auto refused = [&](const std::string& words, int code, const std::string& part) {
    CAPTURE(words);
    const Outcome outcome = run("ntq-report " + words);
    CHECK(outcome.code == code);
    CHECK(lines_of(outcome.err) == 1);
    CHECK(contains(outcome.err, part));
  };
  refused(folder / "none", 2, "expected a run folder, a sweep's folder or a checkpoint, found nothing");
  refused(folder.str(), 2, "a folder with neither config.json nor sweep.json");
  refused(folder / "notes.bin", 4, "notes.bin");
  refused(folder / "broken", 4, "config.json");
  refused(folder / "notes.bin --tensorboard x", 2, "a checkpoint has no curves");
  refused("", 2, "PATH is missing");
  refused(folder.str() + " -x", 2, "unknown option '-x'");
  CHECK(std::filesystem::exists(folder / "report.html") == false);
}

TEST_CASE("the page of a sweep shows its cells and leads to their pages") {
  const TempFolder folder;
  const Outcome swept =
      run("ntq-sweep s synthetic resnet20 --method lsq,ntq --bits 4 --limit-train 32 --limit-val 16 --batch-size 16"
          " --threads 1 --epochs 1 --output " +
          folder.str());
  REQUIRE(swept.code == 0);
  const Outcome made = run("ntq-report " + (folder / "s"));
  CHECK(made.code == 0);
  const std::string page = read_file(folder / "s/report.html");
  CHECK(contains(page, "3 cells: 3 done, 0 open, 0 failed."));
  CHECK(contains(page, "<a href=\"synthetic-resnet20-w4a4-lsq-seed0-"));
  CHECK(contains(page, "/report.html\">"));
  CHECK(contains(page, "bit operations, 10^9"));
  const Outcome html =
      run("ntq-sweep s synthetic resnet20 --method lsq,ntq --bits 4 --limit-train 32 --limit-val 16 --batch-size 16"
          " --threads 1 --epochs 1 --table --html " +
          (folder / "s/t.html") + " --output " + folder.str());
  CHECK(html.code == 0);
  CHECK(read_file(folder / "s/t.html") == page);
}
