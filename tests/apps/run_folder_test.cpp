#include "apps/run_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "engine/serialize.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"

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

/// A last.bin that says no more than which data it was trained on.
void write_checkpoint_of(const RunFolder& run, const DataRecord& data) {
  ntq::TensorFile file;
  put_record(file.metadata, data, {});
  ntq::save_tensors(run.file("last.bin"), file);
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
  const TrainConfig fp = config(folder.str(), 32);
  const DataRecord data{{"cat", "dog"}, {8, "list:00000001"}, {4, "list:00000002"}};
  const RunFolder run = create_run(fp);
  CHECK_FALSE(find_finished(fp, data).run);
  write_checkpoint_of(run, data);
  CHECK_FALSE(find_finished(fp, data).run);
  write_file(run.file("result.json"), "{}");
  REQUIRE(find_finished(fp, data).run);
  CHECK(find_finished(fp, data).run->path == run.path);
  TrainConfig other = fp;
  other.threads = 7;
  CHECK(find_finished(other, data).run);
  other.seed = 1;
  CHECK_FALSE(find_finished(other, data).run);
  CHECK(find_finished(other, data).passed_over.empty());
}

TEST_CASE("a finished full-precision run of other training data is passed over, and why is said") {
  const TempFolder folder;
  const TrainConfig fp = config(folder.str(), 32);
  const DataRecord data{{"cat", "dog"}, {8, "list:00000001"}, {4, "list:00000002"}};
  const RunFolder run = create_run(fp);
  write_checkpoint_of(run, data);
  write_file(run.file("result.json"), "{}");

  const auto why = [&](const DataRecord& here) {
    const FinishedRun found = find_finished(fp, here);
    CHECK_FALSE(found.run);
    return found.passed_over.size() == 1 ? found.passed_over[0] : "";
  };
  DataRecord here = data;
  here.val = {5, "list:00000003"};  // decides nothing about the weights of the last epoch
  CHECK(find_finished(fp, here).run);
  here = data;
  here.classes[1] = "emu";
  CHECK(why(here) == run.path + " is of the same recipe, but not taken: class 1 is 'dog' there, 'emu' here");
  here = data;
  here.classes.push_back("emu");
  CHECK(contains(why(here), "2 classes there (cat, dog), 3 here (cat, dog, emu)"));
  here = data;
  here.train.images = 9;
  CHECK(contains(why(here), "8 training images there, 9 here"));
  here = data;
  here.train.fingerprint = "list:00000009";
  CHECK(
      contains(why(here), "as many training images, but not the same ones (list:00000001 there, list:00000009 here)"));

  ntq::save_tensors(run.file("last.bin"), {});  // of an older release
  CHECK(contains(why(data), "does not say which data"));
  write_file(run.file("last.bin"), "x");
  CHECK(contains(why(data), "last.bin"));
}

TEST_CASE("the first stage is named before it is made") {
  const TempFolder folder;
  const RunFolder four = create_run(config(folder.str(), 4));
  const RunFolder stage = create_stage(config(folder.str(), 32), four);
  CHECK(stage.name() == "synthetic-resnet20-fp");
  CHECK(stage_before(four)->path == stage.path);
  CHECK(stage.has("config.json"));
  const RunFolder other = create_run(config(folder.str(), 4));
  CHECK(create_stage(config(folder.str(), 32), other).name() == "synthetic-resnet20-fp-2");
}

TEST_CASE("pretrain.json names a folder beside its own and leads nowhere else") {
  const TempFolder folder;
  const RunFolder four = create_run(config(folder.str(), 4));
  for (const char* name : {"../victim", "/etc", "..", ".", "", "a/b", "./a"}) {
    write_file(four.file("pretrain.json"), nlohmann::json{{"run", name}}.dump());
    CHECK_THROWS_AS(stage_before(four), ntq::CheckpointError);
  }
}

TEST_CASE("stored run options that this machine does not take stop no run") {
  const TempFolder folder;
  const RunFolder run = create_run(config(folder.str(), 4));
  auto json = nlohmann::ordered_json::parse(read_file(run.file("config.json")));
  json["workers"] = 384;
  json["threads"] = 100000;
  json["device"] = "cuda:x";
  json["save_every"] = 5;
  write_file(run.file("config.json"), json.dump());
  const TrainConfig c = read_run_config(run);
  CHECK_FALSE(c.workers);
  CHECK_FALSE(c.threads);
  CHECK(c.device == "auto");
  CHECK(c.save_every == 5);
  json["device"] = "cuda:7";  // another arithmetic: what is asked for stays so, and is refused where it is missing
  write_file(run.file("config.json"), json.dump());
  CHECK(read_run_config(run).device == "cuda:7");
}

TEST_CASE("config.json of an older release: 0, -1 and no text stand for what was not given") {
  const TempFolder folder;
  const RunFolder run = create_run(config(folder.str(), 32));
  auto json = nlohmann::ordered_json::parse(read_file(run.file("config.json")));
  for (const char* key : {"data_dir", "val_labels", "mean", "std", "init"}) json[key] = "";
  for (const char* key : {"max_bad_images", "pretrain_epochs"}) json[key] = -1;
  for (const char* key : {"limit_train", "limit_val", "first_last_bits", "threads"}) json[key] = 0;
  json["workers"] = 1;
  json.erase("raw");
  json.erase("refresh_index");
  write_file(run.file("config.json"), json.dump());
  const TrainConfig c = read_run_config(run);
  CHECK_FALSE(c.init);
  CHECK_FALSE(c.mean);
  CHECK_FALSE(c.limit_train);
  CHECK(config_to_json(c, JsonPart::recipe) == config_to_json(config(folder.str(), 32), JsonPart::recipe));
}

TEST_CASE("--resume finds the newest unfinished run of the options given") {
  const TempFolder folder;
  const RunFolder fp = create_run(config(folder.str(), 32)), four = create_run(config(folder.str(), 4)),
                  two = create_run(config(folder.str(), 2));
  make_older(fp, 10);
  make_older(four, 20);
  make_older(two, 30);
  write_file(fp.file("result.json"), "{}");
  CHECK(find_unfinished(folder.str(), nlohmann::ordered_json::object())->path == four.path);
  CHECK(find_unfinished(folder.str(), {{"bits", 2}, {"threads", 99}})->path == two.path);
  CHECK_FALSE(find_unfinished(folder.str(), {{"bits", 3}}));
  CHECK_FALSE(find_unfinished(folder / "none", {{"bits", 2}}));
}

TEST_CASE("the run that waits for a full-precision stage stands for it") {
  const TempFolder folder;
  const RunFolder fp = create_run(config(folder.str(), 32)), four = create_run(config(folder.str(), 4));
  CHECK(waiting_for(fp).path == fp.path);
  CHECK_FALSE(stage_before(four));
  set_stage_before(four, fp);
  CHECK(stage_before(four)->path == fp.path);
  CHECK(waiting_for(fp).path == four.path);
  write_file(four.file("last.bin"), "x");
  CHECK(waiting_for(fp).path == fp.path);
  write_file(four.file("pretrain.json"), "[]");
  CHECK_THROWS_AS(stage_before(four), ntq::CheckpointError);
}

TEST_CASE("a config.json with settings that its method lacks is named") {
  const TempFolder folder;
  const RunFolder run = create_run(config(folder.str(), 4));
  auto json = nlohmann::ordered_json::parse(read_file(run.file("config.json")));
  json["method"] = "qil";
  write_file(run.file("config.json"), json.dump());
  CHECK_THROWS_WITH_AS(read_run_config(run),
                       doctest::Contains((run.file("config.json") + ": --quant border: method qil has no").c_str()),
                       ntq::CheckpointError);
}

TEST_CASE("the run that waits at the end of a chain stands for all of its stages; a circle has no end") {
  const TempFolder folder;
  const RunFolder fp = create_run(config(folder.str(), 32)), eight = create_run(config(folder.str(), 8)),
                  four = create_run(config(folder.str(), 4));
  set_stage_before(eight, fp);
  set_stage_before(four, eight);
  CHECK(waiting_for(fp).path == four.path);
  CHECK(waiting_for(eight).path == four.path);
  set_stage_before(fp, four);
  waiting_for(fp);
  TrainConfig from_file = config(folder.str(), 8);
  from_file.init = "/x.bin";
  write_file(eight.file("result.json"), "{}");
  const DataRecord data{{"cat", "dog"}, {8, "list:00000001"}, {4, "list:00000002"}};
  write_checkpoint_of(eight, data);
  CHECK(find_finished(config(folder.str(), 8), data).run);
  CHECK_FALSE(find_finished(from_file, data).run);
}

TEST_CASE("folders that are no runs are refused, or passed over in a search") {
  const TempFolder folder;
  CHECK_THROWS_AS(read_run_config({folder / "none"}), ntq::CheckpointError);
  std::filesystem::create_directory(folder / "bad");
  write_file(folder / "bad/config.json", "{\"epochz\": 1}");
  CHECK_THROWS_AS(read_run_config({folder / "bad"}), ntq::CheckpointError);
  CHECK_FALSE(find_unfinished(folder.str(), nlohmann::ordered_json::object()));
  CHECK_FALSE(find_finished(config(folder.str(), 32), {}).run);
}

TEST_CASE("a place that cannot be written to gives one clear error") {
  const TempFolder folder;
  write_file(folder / "file", "");
  CHECK_THROWS_AS(create_run(config(folder / "file", 32)), ntq::CheckpointError);
  std::filesystem::create_directory(folder / "locked");
  chmod(folder.str().c_str(), 0755);
  chmod((folder / "locked").c_str(), 0555);
  const bool root = geteuid() == 0;  // root writes anywhere: become nobody for a moment
  if (root) REQUIRE(seteuid(65534) == 0);
  const std::string error = error_of<ntq::CheckpointError>([&] { create_run(config(folder / "locked", 32)); });
  if (root) REQUIRE(seteuid(0) == 0);
  CHECK_MESSAGE(error.find("ermission denied") != std::string::npos, error);
}

TEST_CASE("two processes cannot write one run") {
  const TempFolder folder;
  const RunFolder run = create_run(config(folder.str(), 32));
  {
    const RunLock lock(run);
    CHECK_THROWS_AS(RunLock{run}, ntq::CheckpointError);
  }
  CHECK_NOTHROW(RunLock{run});
}
