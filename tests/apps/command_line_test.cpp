// Words that a command cannot take end in one line that says what was meant, in every command.
#include "apps/command_line.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "apps/config.h"
#include "tests/apps/tools.h"
#include "tests/apps/words.h"

using namespace ntq::apps;
using ntq::test::contains;
using ntq::test::error_of;
using ntq::test::lines_of;
using ntq::test::Outcome;
using ntq::test::refusal;
using ntq::test::run;

TEST_CASE("names of other programs and near ones lead to ours") {
  const std::vector<std::pair<std::string, std::string>> near = {{"--epoch", "--epochs"},
                                                                 {"--max-epochs", "--epochs"},
                                                                 {"--num_epochs", "--epochs"},
                                                                 {"--wd", "--weight-decay"},
                                                                 {"--weight_decay", "--weight-decay"},
                                                                 {"--bs", "--batch-size"},
                                                                 {"-b", "--batch-size"},
                                                                 {"--batch", "--batch-size"},
                                                                 {"-j", "--workers"},
                                                                 {"--j", "--workers"},
                                                                 {"--num-workers", "--workers"},
                                                                 {"--nw", "--workers"},
                                                                 {"--data", "--data-dir"},
                                                                 {"--data-path", "--data-dir"},
                                                                 {"--learning-rate", "--lr"},
                                                                 {"--lr0", "--lr"},
                                                                 {"--imgsz", "--image-size"},
                                                                 {"--image", "--image-size"},
                                                                 {"--label-smoothing", "--smoothing"},
                                                                 {"--pretrained", "--init"},
                                                                 {"--output_dir", "--output"},
                                                                 {"--print-freq", "--log-interval"},
                                                                 {"--amp", "--precision"},
                                                                 {"--gpu", "--device"},
                                                                 {"--wbits", "--weight-bits"},
                                                                 {"--LR", "--lr"},
                                                                 {"--batchsize", "--batch-size"},
                                                                 {"--momentun", "--momentum"},
                                                                 {"--limit", "--limit-train or --limit-val"}};
  for (const auto& [word, ours] : near) {
    const std::string text = refusal({word, "1"});
    CHECK_MESSAGE(contains(text, "unknown option '" + word + "'; did you mean " + ours + "?"), text);
  }
  CHECK(contains(refusal({"--opt", "sgd"}), "the optimizer is SGD: --momentum, --nesterov"));
  CHECK(contains(refusal({"--arch", "x"}), "the MODEL stands without an option: ntq-train DATASET MODEL"));
  CHECK(contains(refusal({"--dataset", "x"}), "the DATASET stands without an option"));
  const std::string none = refusal({"--mixup", "0.2"});
  CHECK_FALSE(contains(none, "did you mean"));
  CHECK(contains(none, "--help lists the options"));
  CHECK(contains(refusal({"--a\033[31m\nb", "1"}), "'--a\\x1b[31m\\nb'"));
}

TEST_CASE("numbers are whole texts, written with a point; a missing one is said to be missing") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"--lr"}, "--lr: expected a number, found nothing"},
      {{"--lr="}, "--lr: expected a number, found nothing"},
      {{"--lr", ""}, "--lr: expected a number, found nothing"},
      {{"--lr", "--epochs", "3"}, "--lr: expected a number, found the option '--epochs'"},
      {{"--epochs", "-b", "3"}, "--epochs: expected an integer, found the option '-b'"},
      {{"--output"}, "--output: expected a folder, found nothing"},
      {{"--lr", "1e400"}, "found '1e400', which is out of range"},
      {{"--lr", "nan"}, "expected a finite number, found 'nan'"},
      {{"--lr", "-inf"}, "expected a finite number, found '-inf'"},
      {{"--lr", "0x10"}, "expected a number, found '0x10'"},
      {{"--lr", "1,5"}, "expected a number, found '1,5'; write a point, as in 1.5"},
      {{"--lr", " 5"}, "expected a number, found ' 5'"},
      {{"--lr", "5 "}, "expected a number, found '5 '"},
      {{"--lr", "+5"}, "expected a number, found '+5'"},
      {{"--epochs", "1e3"}, "expected an integer, found '1e3'"},
      {{"--epochs", "0x10"}, "expected an integer, found '0x10'"},
      {{"--epochs", "99999999999999999999"}, "which is out of range"},
      {{"--epochs", std::string(200, '9')}, std::string(60, '9') + "...', which is out of range"},
      {{"--nesterov=5"}, "--nesterov: takes no value, found '5'"},
      {{"--resume="}, "--resume: expected a run folder, found nothing"},
      {{"--resume", ""}, "--resume: expected a run folder, found nothing"}};
  for (const auto& each : wrong) {
    const std::string said = refusal(each.first);
    CHECK_MESSAGE(contains(said, each.second), said);
  }
  // A negative number is a value; its range is checked like any other's.
  CHECK(contains(refusal({"--lr", "-0.5"}), "--lr: expected 0 to 1000, found -0.5"));
  CHECK(contains(refusal({"--lr", "-.5"}), "found -0.5"));
  CHECK(contains(refusal({"--lr", "1001"}), "--lr: expected 0 to 1000, found 1001"));
  CHECK(refusal({"--lr", "1e-3", "--lr=0.5", "--nesterov", "--nesterov=false"}).empty());
}

TEST_CASE("words too many or too few are named") {
  CHECK(contains(refusal({"a", "b"}), "expected no more words than DATASET MODEL, found also 'a', 'b'"));
  CHECK(contains(refusal({"epochs", "3"}), "found also 'epochs', '3'; did you mean --epochs?"));
  CHECK(contains(refusal({"--", "--epochs"}), "found also '--epochs'"));
  CHECK(contains(run("ntq-train resnet20 cifar10").err, "DATASET comes before MODEL: ntq-train cifar10 resnet20"));
  CHECK(contains(run("ntq-train cifar ResNet-20").err, "Did you mean cifar10?"));
  CHECK(contains(run("ntq-train cifar10 ResNet-20").err, "Did you mean resnet20?"));
  CHECK(contains(run("ntq-export a").err, "expected ntq-export CHECKPOINT OUT: OUT is missing"));
}

TEST_CASE("every command refuses wrong words with exit code 2, in one line, with --json as an object too") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"ntq-train cifar10 resnet20 --epoch 3", "--epochs"},
      {"ntq-train cifar10 resnet20 --lr", "found the option '--json'"},
      {"ntq-eval x --bs 3", "--batch-size"},
      {"ntq-eval x --limit-val 0x10", "expected an integer, found '0x10'"},
      {"ntq-eval x --batch-size 010x", "expected an integer"},
      {"ntq-eval x --limit-val", "expected an integer, found the option '--json'"},
      {"ntq-eval ''", "CHECKPOINT: expected a name, found nothing"},
      {"ntq-eval a b", "found also 'b'"},
      {"ntq-eval --checkpoint a", "the CHECKPOINT stands without an option"},
      {"ntq-info a b", "found also 'b'"},
      {"ntq-info a --tensor", "--tensors"},
      {"ntq-export a b c", "found also 'c'"},
      {"ntq-export a b --force", "--overwrite"},
      {"ntq-export -o b a", "the OUT stands without an option"}};
  for (const auto& each : wrong) {
    const Outcome outcome = run(each.first + " --json");
    CHECK_MESSAGE(outcome.code == 2, each.first, ": ", outcome.err);
    CHECK_MESSAGE(contains(outcome.err, each.second), outcome.err);
    CHECK(lines_of(outcome.err) == 1);
    CHECK(lines_of(outcome.out) == 1);
    CHECK(nlohmann::json::parse(outcome.out)["exit_code"] == 2);
  }
}

TEST_CASE("help is answered beside other mistakes, lists what there is, and fits on a screen") {
  const Outcome help = run("ntq-train --epoch --help");
  CHECK(help.code == 0);
  for (const char* text : {"lsq, lsq+", "resnet152", "wrn28-10", "fashion-mnist", "cuda:1", "tf32"}) {
    CHECK_MESSAGE(contains(help.out, text), text);
  }
  CHECK_FALSE(contains(help.out, "..."));
  CHECK(lines_of(help.out) < 80);
  for (size_t start = 0, end; (end = help.out.find('\n', start)) != std::string::npos; start = end + 1) {
    CHECK(end - start <= 110);
  }
}
