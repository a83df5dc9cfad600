#include "apps/run_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "engine/check.h"
#include "tests/apps/tools.h"

using namespace ntq::apps;
using namespace ntq::test;

namespace {

TrainConfig config(const std::string& output, int64_t bits) {
  TrainConfig c;
  c.dataset = "synthetic";
  c.model = "resnet20";
  c.bits = bits;
  c.output = output;
  return resolve(c);
}

void make_older(const RunFolder& run, int seconds) {
  const auto when = std::filesystem::file_time_type::clock::now() - std::chrono::seconds(seconds);
  std::filesystem::last_write_time(run.file("config.json"), when);
}

}  // namespace

TEST_CASE("a run folder is never one that is there already") {
  const TempFolder folder;
  const TrainConfig c = config(folder / "runs", 4);
  CHECK(create_run(c).name() == "synthetic-resnet20-w4a4-ntq");
  CHECK(create_run(c).name() == "synthetic-resnet20-w4a4-ntq-2");
  const RunFolder third = create_run(c);
  CHECK(third.name() == "synthetic-resnet20-w4a4-ntq-3");
  CHECK(config_to_json(read_run_config(third), JsonPart::all) == config_to_json(c, JsonPart::all));
}

TEST_CASE("a finished full-precision run of the same recipe is found") {
  const TempFolder folder;
  const TrainConfig fp = config(folder.path, 32);
  const RunFolder run = create_run(fp);
  CHECK_FALSE(find_finished(fp));
  write_file(run.file("last.bin"), "x");
  CHECK_FALSE(find_finished(fp));
  write_file(run.file("result.json"), "{}");
  REQUIRE(find_finished(fp));
  CHECK(find_finished(fp)->path == run.path);
  TrainConfig other = fp;
  other.threads = 7;
  CHECK(find_finished(other));
  other.seed = 1;
  CHECK_FALSE(find_finished(other));
}

TEST_CASE("--resume finds the newest unfinished run of the options given") {
  const TempFolder folder;
  const RunFolder fp = create_run(config(folder.path, 32)), four = create_run(config(folder.path, 4)),
                  two = create_run(config(folder.path, 2));
  make_older(fp, 10);
  make_older(four, 20);
  make_older(two, 30);
  write_file(fp.file("result.json"), "{}");
  CHECK(find_unfinished(folder.path, nlohmann::ordered_json::object())->path == four.path);
  CHECK(find_unfinished(folder.path, {{"bits", 2}, {"threads", 99}})->path == two.path);
  CHECK_FALSE(find_unfinished(folder.path, {{"bits", 3}}));
  CHECK_FALSE(find_unfinished(folder / "none", {{"bits", 2}}));
}

TEST_CASE("the run that waits for a full-precision stage stands for it") {
  const TempFolder folder;
  const RunFolder fp = create_run(config(folder.path, 32)), four = create_run(config(folder.path, 4));
  CHECK(waiting_for(fp).path == fp.path);
  CHECK_FALSE(pretrain_run(four));
  set_pretrain_run(four, fp);
  CHECK(pretrain_run(four)->path == fp.path);
  CHECK(waiting_for(fp).path == four.path);
  write_file(four.file("last.bin"), "x");
  CHECK(waiting_for(fp).path == fp.path);
  write_file(four.file("pretrain.json"), "[]");
  CHECK_THROWS_AS(pretrain_run(four), ntq::CheckpointError);
}

TEST_CASE("folders that are no runs are refused, or passed over in a search") {
  const TempFolder folder;
  CHECK_THROWS_AS(read_run_config({folder / "none"}), ntq::CheckpointError);
  std::filesystem::create_directory(folder / "bad");
  write_file(folder / "bad/config.json", "{\"epochz\": 1}");
  CHECK_THROWS_AS(read_run_config({folder / "bad"}), ntq::CheckpointError);
  CHECK_FALSE(find_unfinished(folder.path, nlohmann::ordered_json::object()));
  CHECK_FALSE(find_finished(config(folder.path, 32)));
}

TEST_CASE("a place that cannot be written to gives one clear error") {
  const TempFolder folder;
  write_file(folder / "file", "");
  CHECK_THROWS_AS(create_run(config(folder / "file", 32)), ntq::CheckpointError);
  if (geteuid() == 0) return;  // root may write anywhere
  std::filesystem::create_directory(folder / "locked");
  chmod((folder / "locked").c_str(), 0555);
  CHECK_THROWS_AS(create_run(config(folder / "locked", 32)), ntq::CheckpointError);
}

TEST_CASE("two processes cannot write one run") {
  const TempFolder folder;
  const RunFolder run = create_run(config(folder.path, 32));
  {
    const RunLock lock(run);
    CHECK_THROWS_AS(RunLock{run}, ntq::CheckpointError);
  }
  CHECK_NOTHROW(RunLock{run});
}
