#include "apps/advice.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using ntq::test::contains;
using OrderedJson = nlohmann::ordered_json;

namespace {

std::vector<std::string> advice(const OrderedJson& given, const OrderedJson& from_file = OrderedJson::object()) {
  TrainConfig config;
  config.dataset = "cifar10", config.model = "resnet20";
  apply_json(config, from_file, "file");
  apply_json(config, given, "command line");
  validate(config);
  return options_without_effect(resolve(config), given, from_file);
}

/// The options that one line each names.
std::vector<std::string> idle(const OrderedJson& given, const OrderedJson& from_file = OrderedJson::object()) {
  std::vector<std::string> names;
  for (const auto& line : advice(given, from_file)) names.push_back(line.substr(0, line.find(' ')));
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("options of photographs have no effect on sets of small images") {
  CHECK(advice({{"image_size", 64}}) == Names{"--image-size has no effect on cifar10"});
  CHECK(idle({{"image_size", 224}}) == Names{"--image-size"});
  CHECK(idle({{"aug", "field"}, {"fast_decode", true}, {"val_labels", "x"}, {"max_bad_images", 3}}) ==
        Names{"--aug", "--fast-decode", "--val-labels", "--max-bad-images"});
  CHECK(idle({{"dataset", "folder"}, {"model", "resnet18"}, {"image_size", 64}, {"aug", "field"}}).empty());
  CHECK(idle({{"dataset", "synthetic"}, {"data_dir", "x"}}) == Names{"--data-dir"});
  CHECK(idle({{"data_dir", "x"}, {"no_aug", true}, {"limit_val", 5}, {"mean", "0,0,0"}, {"workers", 0}}).empty());
}

TEST_CASE("options of quantization have no effect in full precision, NTQ's none on LSQ") {
  CHECK(idle({{"method", "lsq"}, {"noise", 0.1}, {"step_init", "mse"}, {"calibrate", 4}, {"first_last_bits", 8}}) ==
        Names{"--method", "--noise", "--first-last-bits", "--step-init", "--calibrate"});
  CHECK(idle({{"bits_before", "8,5"}}) == Names{"--bits-before"});
  CHECK(idle({{"skip_bits", 8}}) == Names{"--skip-bits"});
  CHECK(idle({{"skip_bits", 8}, {"bits", 4}, {"act_bits", 32}}) == Names{"--skip-bits"});
  CHECK(idle({{"skip_bits", 8}, {"bits", 4}}).empty());
  CHECK(idle({{"pretrain_epochs", 3}, {"pretrain_lr", 0.1}, {"no_start_eval", true}}) ==
        Names{"--no-start-eval", "--pretrain-epochs", "--pretrain-lr"});
  CHECK(idle({{"bits", 4}, {"method", "ntq"}, {"noise", 0.1}, {"noise_k", 5}, {"pretrain_lr", 0.2}}).empty());
  CHECK(idle({{"bits", 4}, {"method", "lsq"}, {"noise", 0.1}, {"noise_k", 5}}) == Names{"--noise", "--noise-k"});
  CHECK(idle({{"bits", 4}, {"noise", 0}, {"noise_k", 5}}) == Names{"--noise-k"});
  CHECK(idle({{"weight_bits", 32}, {"act_bits", 4}, {"noise", 0.1}}) == Names{"--noise"});
  CHECK(idle({{"bits", 4}, {"weight_bits", 2}, {"act_bits", 4}}) == Names{"--bits"});
}

TEST_CASE("options that another one overrides have no effect") {
  CHECK(idle({{"bits", 4}, {"init", "x"}, {"pretrain_epochs", 3}, {"zero_init_residual", true}}) ==
        Names{"--zero-init-residual", "--pretrain-epochs"});
  CHECK(idle({{"bits", 4}, {"pretrain_epochs", 0}, {"pretrain_lr", 0.2}, {"calibrate", 2}}) ==
        Names{"--pretrain-lr", "--calibrate"});
  CHECK(idle({{"min_lr", 0.01}, {"sched", "constant"}}) == Names{"--min-lr"});
  CHECK(idle({{"min_lr", 0.01}, {"sched", "cosine"}}).empty());
  CHECK(idle({{"no_decay_vectors", true}, {"weight_decay", 0}}) == Names{"--no-decay-vectors"});
  CHECK(idle({{"raw", true}}) == Names{"--raw"});
  CHECK(idle({{"raw", true}, {"model_ema", 0.5}, {"bits", 4}}).empty());
  // A width before is a first stage, too.
  CHECK(idle({{"raw", true}, {"model_ema", 0.5}, {"bits", 4}, {"pretrain_epochs", 0}}) == Names{"--raw"});
  CHECK(idle({{"raw", true}, {"model_ema", 0.5}, {"bits", 4}, {"pretrain_epochs", 0}, {"bits_before", "8"}}).empty());
  CHECK(idle({{"bits", 4}, {"pretrain_epochs", 0}, {"calibrate", 2}, {"bits_before", "8"}}).empty());
}

TEST_CASE("a file of all options is no list of wishes") {
  TrainConfig config;
  config.dataset = "cifar10", config.model = "resnet20";
  for (const int64_t bits : {32, 4}) {
    config.bits = bits;
    for (const bool init : {false, true}) {
      if (init) config.init = "x";
      CHECK(idle(OrderedJson::object(), config_to_json(resolve(config), JsonPart::all)).empty());
    }
  }
  CHECK(idle(OrderedJson::object(), {{"image_size", 64}}) == Names{"--image-size"});
}

TEST_CASE("ntq-train warns of them and goes on") {
  const ntq::test::TempFolder folder;
  const auto outcome =
      ntq::test::run("ntq-train" + ntq::test::kTiny + "--epochs 1 --image-size 64 --output " + folder.str());
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.err, "warning: --image-size has no effect on synthetic\n"));
}
