#include "apps/config.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/check.h"
#include "tests/apps/tools.h"
#include "tests/apps/words.h"

using namespace ntq::apps;
using ntq::test::contains;
using ntq::test::error_of;
using ntq::test::TempFolder;
using ntq::test::train_command;
using ntq::test::Words;
using ntq::test::write_file;
using OrderedJson = nlohmann::ordered_json;

namespace {

std::string usage_error(const Words& words) {
  return error_of<UsageError>([&] { train_command(words); });
}

}  // namespace

TEST_CASE("defaults are the paper's recipe") {
  const TrainConfig fp = train_command({"cifar10", "resnet20"})->config;
  CHECK(fp.bits == 32);
  CHECK(fp.lr == 0.1);
  CHECK(fp.epochs == 100);
  CHECK(fp.batch_size == 128);
  CHECK(fp.weight_decay == 1e-4);
  CHECK(fp.sched == "cosine");
  CHECK_FALSE(fp.two_stages());
  CHECK(run_name(fp) == "cifar10-resnet20-fp");

  const TrainConfig q = train_command({"cifar10", "resnet20", "--bits", "4"})->config;
  CHECK(q.weight_bits == 4);
  CHECK(q.act_bits == 4);
  CHECK(q.lr == 0.01);
  CHECK(q.pretrain_epochs == 100);
  CHECK(q.two_stages());
  CHECK(run_name(q) == "cifar10-resnet20-w4a4-ntq");
  // The first stage is the run that `ntq-train cifar10 resnet20` makes.
  CHECK(config_to_json(stages_of(q).front(), JsonPart::all) == config_to_json(fp, JsonPart::all));
}

TEST_CASE("the command line wins over the config file, and that over the defaults") {
  const TempFolder folder;
  write_file(folder / "c.json", R"({"dataset": "cifar10", "model": "resnet20", "epochs": 7, "lr": 0.5, "nesterov": true,
                                    "bits": 4, "weight_bits": 4, "act_bits": 4})");
  const TrainConfig c = train_command({"--config", folder / "c.json", "--epochs", "9", "--bits", "2"})->config;
  CHECK(c.dataset == "cifar10");
  CHECK(c.epochs == 9);
  CHECK(c.lr == 0.5);
  CHECK(c.nesterov);
  CHECK(c.momentum == 0.9);
  CHECK(c.weight_bits == 2);
  CHECK(c.act_bits == 2);
}

TEST_CASE("what --print-config prints is a config file that gives the same again") {
  const TempFolder folder;
  const auto c =
      train_command({"cifar100", "resnet18", "--weight-bits", "2", "--noise", "0.3", "--no-aug", "--seed", "5"})
          ->config;
  const OrderedJson json = config_to_json(c, JsonPart::all);
  write_file(folder / "c.json", json.dump());
  CHECK(config_to_json(train_command({"--config", folder / "c.json"})->config, JsonPart::all) == json);
  CHECK(config_to_json(resolve(c), JsonPart::all) == json);
}

TEST_CASE("the recipe leaves out what does not change the result") {
  const OrderedJson recipe = config_to_json(TrainConfig{}, JsonPart::recipe);
  for (const char* key : {"data_dir", "workers", "threads", "output", "log_interval", "save_every", "init", "device"}) {
    CHECK_FALSE(recipe.contains(key));
  }
  for (const char* key : {"dataset", "model", "bits", "seed", "limit_train", "epochs", "model_ema"}) {
    CHECK(recipe.contains(key));
  }
}

TEST_CASE("wrong options end in one line that says what is allowed") {
  CHECK(contains(usage_error({}), "DATASET and MODEL"));
  CHECK(contains(usage_error({"cifar11", "resnet20"}), "cifar10, cifar100"));
  CHECK(contains(usage_error({"cifar10", "resnet21"}), "Did you mean resnet20?"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--epoch", "3"}), "did you mean --epochs?"));
  CHECK(
      contains(usage_error({"cifar10", "resnet20", "--epochs", "ten"}), "--epochs: expected an integer, found 'ten'"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--epochs", "0"}), "--epochs: expected 1 or more, found 0"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--epochs"}), "--epochs"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--lr", "nan"}), "--lr"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--lr", "0.1x"}), "expected a number, found '0.1x'"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--bits", "1"}), "expected 2 to 8, or 32"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--noise", "1"}), "[0, 1)"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--sched", "linear"}),
                 "cosine, step, paper, exponential, constant"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--method", "foo"}), "--method: expected one of "));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--precision", "fp8"}), "fp32, tf32, bf16"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "extra"}), "extra"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--device", "cuda:x"}), "expected auto, cpu, cuda"));
  CHECK(train_command({"cifar10", "resnet20", "--device", "cuda:1"})->config.device == "cuda:1");
  CHECK(train_command({"cifar10", "resnet20", "--precision", "tf32"})->config.precision == "tf32");
  for (const char* device : {"cpu", "cpu:portable"}) {
    CHECK(contains(usage_error({"cifar10", "resnet20", "--precision", "tf32", "--device", device}),
                   "--precision tf32: the cpu has no such products"));
  }
  CHECK(train_command({"cifar10", "resnet20", "--precision", "bf16"})->config.precision == "bf16");
}

TEST_CASE("a legal value never stands for what was not given") {
  const TrainConfig c =
      train_command({"cifar10", "resnet20", "--mean", "0,0,0", "--lr", "0", "--workers", "0", "--seed", "0"})->config;
  CHECK(*c.mean == "0,0,0");
  CHECK(*c.lr == 0);
  CHECK(*c.workers == 0);
  CHECK_FALSE(c.std);
  CHECK_FALSE(c.threads);
  // And nothing stands for "not given" but leaving it out.
  for (const char* option :
       {"--limit-train", "--limit-val", "--threads", "--weight-bits", "--act-bits", "--first-last-bits"}) {
    CHECK_MESSAGE(contains(usage_error({"cifar10", "resnet20", "--bits", "4", option, "0"}), option), option);
  }
  for (const char* option : {"--workers", "--max-bad-images", "--pretrain-epochs"}) {
    CHECK_MESSAGE(contains(usage_error({"cifar10", "resnet20", option, "-1"}), option), option);
  }
  for (const char* option : {"--data-dir", "--val-labels", "--init", "--output", "--mean", "--std", "--config"}) {
    CHECK_MESSAGE(contains(usage_error({"cifar10", "resnet20", option, ""}), option), option);
  }
  CHECK(
      contains(usage_error({"cifar10", "resnet20", "--std", "0.2,0,0.2"}), "--std: expected three numbers in (0, 1]"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--lr", "1001"}), "--lr: expected 0 to 1000, found 1001"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--output", "\xfc"}), "UTF-8"));
}

TEST_CASE("defaults lie within what their options allow") {
  TrainConfig c;
  c.dataset = "imagenet", c.model = "resnet50";
  CHECK_NOTHROW(validate(c));
  CHECK_NOTHROW(validate(resolve(c)));
  CHECK(loader_workers(c) >= 1);
  CHECK(loader_workers(c) <= 256);
  CHECK(reset_impossible_run_options(c).empty());
}

TEST_CASE("wrong config files are refused") {
  const TempFolder folder;
  const auto error = [&](const std::string& text) {
    write_file(folder / "c.json", text);
    return usage_error({"cifar10", "resnet20", "--config", folder / "c.json"});
  };
  CHECK(contains(error(R"({"epoch": 3})"), "unknown key 'epoch'; did you mean 'epochs'?"));
  CHECK(contains(error(R"({"epochs": "3"})"), "'epochs': expected an integer, found \"3\""));
  CHECK(contains(error(R"({"limit_train": 0})"), "--limit-train: expected 1 or more images, found 0"));
  CHECK(contains(error(R"({"workers": -1})"), "--workers"));
  CHECK(contains(error(R"({"mean": ""})"), "--mean"));
  CHECK(contains(error(R"({"init": ""})"), "--init"));
  CHECK(contains(error(R"({"epochs": 3.5})"), "expected an integer"));
  CHECK(contains(error(R"({"epochs": 18446744073709551615})"), "expected an integer"));
  CHECK(contains(error(R"({"nesterov": 1})"), "expected true or false"));
  CHECK(contains(error(R"({"sched": null})"), "expected a string"));
  CHECK(contains(error("[1]"), "expected a JSON object"));
  CHECK(contains(error("{"), "not valid JSON"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--config", folder / "none.json"}), "cannot read"));
}

TEST_CASE("--resume takes a run or nothing") {
  CHECK(*train_command({"--resume"})->resume == "");
  CHECK(*train_command({"--resume", "runs/x"})->resume == "runs/x");
  CHECK(contains(usage_error({"--resume", ""}), "--resume: expected a run folder, found nothing"));
  CHECK(contains(usage_error({"--resume="}), "--resume: expected a run folder, found nothing"));
  CHECK(contains(usage_error({"cifar10", "resnet20", "--allow-data-change"}), "only together with --resume"));
  const auto command = train_command({"cifar10", "resnet20", "--bits", "4", "--resume", "--threads", "2"});
  CHECK(*command->resume == "");
  CHECK(command->given_json["bits"] == 4);
  CHECK(command->given.threads == 2);
}
